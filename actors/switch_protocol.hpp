// SPDX-License-Identifier: Apache-2.0
// One VM takes the place of another under a sandbox' name: rollback and
// promote. Structs only; knows no CAF.
#pragma once

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// Puts a sandbox back to a snapshot, in place: its name and host stay. Its
/// VM is ended once the new one runs; a failure leaves it as it was.
struct rollback_request {
  operation_id operation = {};
  sandbox_id sandbox = {};
  snapshot_tag tag = {};
  bool force = false;
  milliseconds deadline{0};
  uint64_t epoch = 0;
  std::string subject = {};

  friend bool operator==(const rollback_request&,
                         const rollback_request&) = default;
  static constexpr schema::about about{
    "rollback_request", "Put a sandbox back to a snapshot, in place.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("operation", &rollback_request::operation,
            "Made by the client; a retry carries the same one."),
      field("sandbox", &rollback_request::sandbox, "Which sandbox.", required),
      field("tag", &rollback_request::tag, "The snapshot.", required),
      field("force", &rollback_request::force,
            "Take any snapshot of the same shape, not only one of the "
            "sandbox' own lineage."),
      field("deadline_ms", &rollback_request::deadline,
            "Time left; 0 takes the fleet's."),
      field("epoch", &rollback_request::epoch, "The coordinator's epoch.",
            optional, schema::access::internal),
      field("subject", &rollback_request::subject,
            "Who asks, as the coordinator saw it.", optional,
            schema::access::internal),
    };
  }
};

/// Gives a child the name of the sandbox that its snapshot was taken of, and
/// ends that one.
struct promote_request {
  operation_id operation = {};
  sandbox_id sandbox = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;
  std::string subject = {};

  friend bool operator==(const promote_request&,
                         const promote_request&) = default;
  static constexpr schema::about about{
    "promote_request",
    "Give a child the name of its source, and end the source.",
    schema::access::scriptable};
  static constexpr auto fields() {
    using schema::field;
    using enum schema::need;
    return std::tuple{
      field("operation", &promote_request::operation,
            "Made by the client; a retry carries the same one."),
      field("sandbox", &promote_request::sandbox, "The child.", required),
      field("deadline_ms", &promote_request::deadline,
            "Time left; 0 takes the fleet's."),
      field("epoch", &promote_request::epoch, "The coordinator's epoch.",
            optional, schema::access::internal),
      field("subject", &promote_request::subject,
            "Who asks, as the coordinator saw it.", optional,
            schema::access::internal),
    };
  }
};

} // namespace forkfleet
