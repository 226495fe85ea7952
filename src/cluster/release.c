#include "cluster/document.h"

/* 1: the first release. */
uint8_t release_feature_level(void)
{
        return 1;
}
