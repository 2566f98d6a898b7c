// SPDX-License-Identifier: Apache-2.0
// A child's own identity: entropy, clock, host name, machine id and input,
// given through its guest agent. Why each is needed: "Restoring Uniqueness in
// MicroVM Snapshots" (2021).
#pragma once

#include <string>
#include <string_view>

#include "actors/guest_protocol.hpp"
#include "node/agent/guest_clock.hpp"
#include "node/vmm.hpp"

namespace forkfleet {

/// What only the host can choose.
struct identity_plan {
  std::string hostname = {};
  std::string machine_id = {}; // 32 hexadecimal digits
  std::string entropy = {};    // hexadecimal digits, never used twice
  microseconds clock{0};       // Unix time; filled in when it is given
  child_input input = {};
};

/// invalid_request names what is wrong with it.
status check(const child_input& input);

/// A shell script (POSIX) that takes the identity and prints the receipt.
/// Files are not in it. Pure.
std::string identity_script(const identity_plan& plan);

/// What the script printed. vmm_refused with the guest's own words where it
/// did not take all of it. Pure.
expected<identity_receipt> read_receipt(std::string_view printed);

/// Fresh random names for a child called `name`.
identity_plan plan_identity(const std::string& name, const child_input& input);

/// Gives the plan to the guest behind the agent's socket, its clock last, and
/// returns what it acknowledged. The receipt has what both clocks showed in
/// the end.
expected<identity_receipt> give_identity(const std::string& socket,
                                         const identity_plan& plan,
                                         const wall_clock& wall,
                                         deadline_point until);

} // namespace forkfleet
