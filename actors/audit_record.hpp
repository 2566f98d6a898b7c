// SPDX-License-Identifier: Apache-2.0
// One line of the coordinator's audit log: who asked for what, and what came
// of it. Struct only; knows no CAF.
#pragma once

#include <chrono>
#include <string>

#include "actors/error.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

struct audit_record {
  std::chrono::microseconds at{0};
  std::string event = {};
  std::string subject = {};
  std::string role = {};
  std::string message = {};
  std::string operation = {};
  std::string target = {};
  failure outcome = {};
  uint64_t count = 1;

  friend bool operator==(const audit_record&, const audit_record&) = default;
  static constexpr schema::about about{"audit_record",
                                       "One line of the audit log."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("at_us", &audit_record::at, "When, in Unix time."),
      field("event", &audit_record::event,
            "asked: let through, or answered at once; refused; ended: how an "
            "operation ended that was asked for before; started, ended: the "
            "coordinator's life; suppressed: so many like it."),
      field("subject", &audit_record::subject,
            "client:NAME#SERIAL, token:NAME or uid:NUMBER."),
      field("role", &audit_record::role, "viewer, operator or admin."),
      field("message", &audit_record::message, "The request's kind."),
      field("operation", &audit_record::operation, "The operation's id."),
      field("target", &audit_record::target,
            "Which sandbox, snapshot or host."),
      field("outcome", &audit_record::outcome,
            "none: success, or not known yet."),
      field("count", &audit_record::count, "Lines that this one stands for."),
    };
  }
};

} // namespace forkfleet
