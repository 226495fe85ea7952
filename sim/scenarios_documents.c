/* Plays of votes, commits and documents */
#include "stage.h"
const struct scenario scenarios_documents[] = {
        {0},
};
