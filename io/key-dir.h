/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public keys that sign images: every .pem of DIR/keys.d, one Ed25519 key a file, and the vendor's, by the rules of
 * drop-ins. Who may write them decides what is flashed, so that they must be root's.
 */
#pragma once

#include <sys/types.h>

#include "core/config.h"

/*
 * vendor_dir may be NULL, and keys.d need not be there. A file or a keys.d that is neither owner's nor root's, or that
 * others may write, is an error, as is a file that is no Ed25519 public key: each is a line in errors.
 * ret is to be all zero. Returns 0 (look at errors) or -ENOMEM.
 */
int key_dir_read(const char *dir, const char *vendor_dir, uid_t owner, struct trusted_keys *ret,
                 struct config_errors *errors);
