// SPDX-License-Identifier: Apache-2.0
// doctor: what a host can do for its VMs, what it cannot, why, and what helps.
// Structs only; knows no CAF.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "actors/ids.hpp"
#include "actors/schema/shape.hpp"

namespace forkfleet {

/// How a host does in one respect.
enum class check_state : uint8_t { ok, warn, bad };

constexpr auto enum_table(check_state) {
  using enum check_state;
  return std::to_array<schema::enum_entry<check_state>>({
    {ok, "ok"},
    {warn, "warn", "it works, but less well than it could"},
    {bad, "bad", "something that is offered cannot be had"},
  });
}

/// The longest text of a check.
inline constexpr std::size_t check_text_max = 600;

/// One respect.
struct host_check {
  std::string name = {};
  check_state state = check_state::ok;
  std::string found = {};
  std::string remedy = {}; // empty: nothing is to be done

  friend bool operator==(const host_check&, const host_check&) = default;
  static constexpr schema::about about{"host_check",
                                       "How a host does in one respect."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("name", &host_check::name, "Which: one word."),
      field("state", &host_check::state, "How it does."),
      field("found", &host_check::found, "What was found, and what it means."),
      field("remedy", &host_check::remedy,
            "What helps; empty: nothing is to be done."),
    };
  }
};

/// Asks a host how it does.
struct doctor_request {
  host_name host = {};
  uint64_t epoch = 0;

  friend bool operator==(const doctor_request&,
                         const doctor_request&) = default;
  static constexpr schema::about about{
    "doctor_request",
    "Tell what a host can do for its VMs, what it cannot, and what helps.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("host", &doctor_request::host, "Which host.",
            schema::need::required),
      field("epoch", &doctor_request::epoch, "The coordinator's epoch.",
            schema::need::optional, schema::access::internal),
    };
  }
};

/// How a host does. `outcome` is set when it could not be asked.
struct doctor_report {
  host_name host = {};
  failure outcome = {};
  std::vector<host_check> checks = {};

  friend bool operator==(const doctor_report&, const doctor_report&) = default;
  static constexpr schema::about about{"doctor_report", "How a host does."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("host", &doctor_report::host, "Which host."),
      field("outcome", &doctor_report::outcome, "none: it was looked at."),
      field("checks", &doctor_report::checks, "In every respect, in order."),
    };
  }
};

} // namespace forkfleet
