/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/interface.h"

const char station_interface_text[] =
#include "docs/io.espdfu.Station1.inc"
        ;

const char service_interface_text[] =
#include "docs/org.varlink.service.inc"
        ;
