/* decamp: the command line. See cli.h. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cli.h"

#include <locale.h>

int main(int argc, char **argv) {
    (void)setlocale(LC_CTYPE, ""); /* names may be UTF-8; numbers keep their point */
    return cli_main(argc, argv);
}
