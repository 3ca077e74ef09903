/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys for tests: those of RFC 8032, section 7.1, tests 1 and 3, in the PEM of RFC 8410. They protect nothing. */
#pragma once

#define PEM_OF(label, body) "-----BEGIN " label "-----\n" body "\n-----END " label "-----\n"

#define PRIVATE_1 PEM_OF("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g")
#define PUBLIC_1  PEM_OF("PUBLIC KEY", "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
#define PRIVATE_3 PEM_OF("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIMWqjfQ/n4N77bdELzHct7Fm04U1B28JS4XOOi4LRFj3")
#define PUBLIC_3  PEM_OF("PUBLIC KEY", "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=")
