// SPDX-License-Identifier: Apache-2.0
// Catch2's main, shared by the test binaries of all folders.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
