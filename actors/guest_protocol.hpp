// SPDX-License-Identifier: Apache-2.0
// What a child's guest is given of its own, and what it says of that. Structs
// only; knows no CAF.
#pragma once

#include "actors/branch_protocol.hpp"

namespace forkfleet {

/// When a restore is answered.
enum class restore_wait : uint8_t { automatic, ready, started, none };

constexpr auto enum_table(restore_wait) {
  using enum restore_wait;
  return std::to_array<schema::enum_entry<restore_wait>>({
    {automatic, "auto", "ready where the guest has an agent, else started"},
    {ready, "ready", "its guest agent acknowledged its own identity"},
    {started, "started", "its VM runs"},
    {none, "none", "it was taken on; it starts meanwhile"},
  });
}

/// A file that a child finds.
struct guest_file {
  std::string path = {};    // absolute, in the guest
  std::string content = {}; // base64

  friend bool operator==(const guest_file&, const guest_file&) = default;
  static constexpr schema::about about{"guest_file", "A file for a child."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("path", &guest_file::path, "Where, in the guest.",
                    schema::need::required),
      schema::field("content", &guest_file::content, "Its content, as base64."),
    };
  }
};

/// What one child is given of its own.
struct child_input {
  std::string hostname = {};
  std::vector<std::string> environment = {}; // NAME=VALUE
  std::vector<guest_file> files = {};
  std::string seed = {};

  friend bool operator==(const child_input&, const child_input&) = default;
  static constexpr schema::about about{"child_input",
                                       "What a child is given of its own."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("hostname", &child_input::hostname,
                    "Its host name; the sandbox' name when empty."),
      schema::field("environment", &child_input::environment,
                    "NAME=VALUE, for what is run in it; also in "
                    "/run/forkfleet/env."),
      schema::field("files", &child_input::files, "Files that it finds."),
      schema::field("seed", &child_input::seed,
                    "A text of its own in /run/forkfleet/seed."),
    };
  }
};

/// What a child's guest said of the identity that it took.
struct identity_receipt {
  std::string hostname = {};
  std::string machine_id = {};
  std::string entropy = {}; // how its kernel was seeded anew
  std::string sample = {};  // random bytes that it drew after, in hex
  uint64_t files = 0;
  microseconds guest_clock{0}; // Unix time by the guest
  microseconds acknowledged_at{0};
  microseconds elapsed{0};

  friend bool operator==(const identity_receipt&,
                         const identity_receipt&) = default;
  static constexpr schema::about about{
    "identity_receipt", "What a guest said of the identity that it took."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("hostname", &identity_receipt::hostname, "Its host name."),
      schema::field("machine_id", &identity_receipt::machine_id,
                    "What /etc/machine-id holds."),
      schema::field("entropy", &identity_receipt::entropy,
                    "How its kernel was seeded anew; empty: there is no "
                    "receipt."),
      schema::field("sample", &identity_receipt::sample,
                    "Random bytes that it drew after that, in hex."),
      schema::field("files", &identity_receipt::files, "Files written."),
      schema::field("guest_clock_us", &identity_receipt::guest_clock,
                    "Its clock when it answered, in Unix time."),
      schema::field("acknowledged_at_us", &identity_receipt::acknowledged_at,
                    "When that was, by the host's clock."),
      schema::field("elapsed_us", &identity_receipt::elapsed,
                    "From the running VM to the receipt."),
    };
  }
};

/// The bounds of a child's input.
inline constexpr std::size_t child_files_max = 32;
inline constexpr std::size_t child_environment_max = 128;
inline constexpr std::size_t child_bytes_max = 96 * 1024; // all of it

} // namespace forkfleet
