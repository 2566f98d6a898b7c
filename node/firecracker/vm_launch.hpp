// SPDX-License-Identifier: Apache-2.0
// How a VM of Firecracker comes into being: its process under a keeper, and
// then by calls of its API what it is made of, or the snapshot it loads.
#pragma once

#include <memory>
#include <string>

#include "node/driver.hpp"
#include "node/firecracker/api.hpp"
#include "node/firecracker/microvm.hpp"
#include "node/qemu/keeper_link.hpp"

namespace forkfleet::firecracker {

/// The API socket, the console and what Firecracker says, in a VM's
/// directory.
inline constexpr const char* api_socket = "api.sock";
inline constexpr const char* console_file = "console.log";
inline constexpr const char* vmm_log = "firecracker.log";

/// The programs that a driver runs. Paths are absolute.
struct programs {
  std::string firecracker = {};
  std::string keeper = {};
};

/// Finds what is empty in `wanted`: $FORKFLEET_FIRECRACKER or firecracker in
/// $PATH, and $FORKFLEET_KEEPER or forkfleet-keeper beside this program.
/// unsupported names what is missing, and the remedy.
expected<programs> find_programs(programs wanted);

/// A Firecracker that answers.
struct launched {
  std::unique_ptr<api> line = {};
  vmm_version version = {};
  qemu::keeper_link keeper;
};

/// Starts it under a keeper and waits until it answers. After an error no
/// process is left; what it said last is in the message.
expected<launched> launch(const programs& found, const start_plan& plan,
                          deadline_point until);

/// Makes the VM and lets it run.
status boot(launched& vm, const microvm& x, const std::string& directory,
            deadline_point until);

/// Loads a snapshot, which must be of the same line, and lets it run. Its
/// console is its own.
status load(launched& vm, const snapshot_files& snapshot,
            const std::string& directory, deadline_point until);

/// Watches a VM that was just let run for that long. vmm_gone when it ended,
/// with how it ended and what it said last.
status live_through(const launched& vm, const std::string& directory,
                    std::chrono::milliseconds time, deadline_point until);

/// How the VM of `directory` ended, for people: its exit status or signal, and
/// the end of its log.
std::string end_of(const std::string& directory);

/// Where the console of a VM of that version goes.
std::string console_of(const vmm_version& version,
                       const std::string& directory);

/// What starts another keeper for a VM that runs.
qemu::keeper_command guarding(const programs& found, const start_plan& plan,
                              const std::string& socket);

/// Removes the record of `directory`, and kills the VM that was started there.
/// An error: nobody knows whether one runs there, and the directory must stay.
status end_unfinished(const std::string& directory, deadline_point until);

} // namespace forkfleet::firecracker
