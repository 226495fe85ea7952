/* Stands before src/cluster/release.c in the core of the next release. */
#include "cluster/document.h"

uint8_t release_feature_level(void)
{
        return 2;
}
