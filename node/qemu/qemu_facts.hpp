// SPDX-License-Identifier: Apache-2.0
// What an emulator lets itself be kept from: found out by asking it, once for
// each program. Knows no CAF.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace forkfleet::qemu {

/// How a QEMU can be confined. An obstacle says why not; empty: it can.
struct qemu_facts {
  std::string version = {}; // as it says it; empty: it said nothing
  std::string sandbox_obstacle = {};
  std::string user_obstacle = {};
  bool has_run_with = false; // it takes a user by -run-with, not by -runas
};

/// Of the program at `path`, remembered as long as the file does not change.
/// Starts it, for a few milliseconds. Thread-safe.
qemu_facts facts_of(const std::string& path);

/// Arguments that keep a VM from the host's system calls, and have it take the
/// user `uid` before its guest runs; 0: none. What the facts do not allow is
/// left out.
std::vector<std::string> confinement_words(const qemu_facts& facts,
                                           uint32_t uid);

} // namespace forkfleet::qemu
