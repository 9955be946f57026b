/* SPDX-License-Identifier: MIT
 * Copyright The Foster authors
 *
 * fosterctl.
 */
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
    return ctl_main(argc, argv);
}
