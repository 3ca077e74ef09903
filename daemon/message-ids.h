/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happened, for whoever searches the journal: MESSAGE_ID= of the messages that are an interface. */
#pragma once

#define MESSAGE_JOB_BEGAN        "5a3c6c1b7f0e4f2a9d4b1c8e6f20a711"
#define MESSAGE_BOARD_FLASHED    "c2b1f5d09e6a4b7fa1c37d5e84f60b12"
#define MESSAGE_ATTEMPT_FAILED   "0f7d3b92c85e4e61b6a94c2d17e3f813"
#define MESSAGE_BOARD_FAILED     "e81a60c47d2b4935ac5f8b3e90d17c14"
#define MESSAGE_JOB_CANCELLED    "97b4e2d16fa84c03b8e15d7c3a20f615"
#define MESSAGE_NO_POLICY        "3d9c05e7b1a64f28957ec4b6d8021f16"
#define MESSAGE_POLICY_UNUSABLE  "b60e8f3a2c794d15a8d37e9b51c4f017"
#define MESSAGE_ENGINE_STUCK     "7e25d91b40c64a3f8b6dc8f1027a3e18"
