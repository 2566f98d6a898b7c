// SPDX-License-Identifier: Apache-2.0
// Where and how a benchmark ran: what a reader must know to repeat it. Knows
// no CAF.
#pragma once

#include <string>
#include <vector>

#include "actors/schema/fields.hpp"

namespace forkfleet::bench {

/// The machine, the run and its settings.
struct conditions {
  std::string version = {};
  std::string command = {};
  std::string started_at = {};
  std::string ended_at = {};
  std::string kernel = {};
  std::string processor = {};
  uint64_t processors = 0;
  uint64_t memory_bytes = 0;
  std::string load_before = {};
  std::string load_after = {};
  /// Name and value of what is particular to this benchmark.
  std::vector<std::string> settings = {};
  /// What went other than planned, one sentence each.
  std::vector<std::string> remarks = {};
  bool complete = false;

  friend bool operator==(const conditions&, const conditions&) = default;
  static constexpr schema::about about{"conditions",
                                       "Where and how a benchmark ran."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("version", &conditions::version, "Of forkfleet."),
      field("command", &conditions::command, "What was typed."),
      field("started_at", &conditions::started_at, "In UTC."),
      field("ended_at", &conditions::ended_at, "In UTC."),
      field("kernel", &conditions::kernel, "The host's."),
      field("processor", &conditions::processor, "The host's."),
      field("processors", &conditions::processors, "How many."),
      field("memory_bytes", &conditions::memory_bytes, "The host's memory."),
      field("load_before", &conditions::load_before,
            "The load average of a minute when it began."),
      field("load_after", &conditions::load_after, "When it ended."),
      field("settings", &conditions::settings, "Of this benchmark."),
      field("remarks", &conditions::remarks, "What was not as planned."),
      field("complete", &conditions::complete,
            "False: it was interrupted, and these are the results so far."),
    };
  }
};

/// What can be known of this machine now, and the command line.
conditions observe(std::string command);

/// The time now, as "2026-01-31 12:00:05 UTC".
std::string utc_now();

/// As a list of Markdown.
std::string markdown(const conditions& x);

} // namespace forkfleet::bench
