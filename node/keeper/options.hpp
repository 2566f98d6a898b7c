// SPDX-License-Identifier: Apache-2.0
// The keeper's command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "actors/error.hpp"

namespace forkfleet::keeper {

/// What a keeper is to do.
struct options {
  std::string directory = {};
  std::string watchdog = {};    // relative to the directory, or absolute
  std::string preload = {};     // a library put into the VM; empty: none
  std::string overlay = {};     // what that maps over the base; empty: nothing
  std::string record = {};      // the VM starts only while this file is there
  std::string cgroup = {};      // joined before the VM is made; empty: none
  std::string space = {};       // a network namespace, likewise
  std::string log = "qemu.log"; // in the directory: what the VM says
  uint64_t output_bytes = 0;    // kept of what the VM prints; 0: all of it
  uint32_t uid = 0;             // the VM takes this user; 0: it does not
  int leash_pid = 0;
  std::vector<std::string> vmm = {}; // empty: only guard
};

/// Reads `forkfleet-keeper --directory DIR [--watchdog SOCKET] [--leash PID]
/// [--preload LIBRARY [--overlay FILE]] [--record FILE] [--cgroup DIR]
/// [--netns FILE] [--output BYTES] [--uid UID] [--log NAME]
/// [-- VMM ARGUMENT...]`;
/// invalid_request names what is wrong.
expected<options> parse_options(const std::vector<std::string>& arguments);

/// How it is called, for people.
extern const char* const usage;

} // namespace forkfleet::keeper
