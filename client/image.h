/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `espdfuctl image …`: all that is done with images on disk. It never needs the daemon. */
#pragma once

/* argv[0] is "image", argv[1] the sub-verb. Returns the exit code: 0 done, 1 failed, 2 usage. */
int verb_image(int argc, char **argv);
