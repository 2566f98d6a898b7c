// SPDX-License-Identifier: Apache-2.0
// The BRANCH conversation. A request goes from the client to the COORDINATOR,
// the NODE, the SANDBOX and a SNAPSHOT WORKER; the report comes back on the
// same path. Structs only; knows no CAF.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/error.hpp"
#include "actors/ids.hpp"
#include "actors/schema/fields.hpp"

namespace forkfleet {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// The stages of a branch, in the order in which they run. `pause` to
/// `resume` is the pause window.
enum class stage : uint8_t {
  admit,
  reserve,
  track,
  pause,
  capture,
  resume,
  drain,
  seal,
};

constexpr auto enum_table(stage) {
  using enum stage;
  return std::to_array<schema::enum_entry<stage>>({
    {admit, "admit", "wait for a slot; check the request"},
    {reserve, "reserve", "reserve the snapshot's files to their full size"},
    {track, "track", "prepare the capture while the guest runs"},
    {pause, "pause", "stop the guest"},
    {capture, "capture", "memory and device state of one instant"},
    {resume, "resume", "let the guest run; always tried"},
    {drain, "drain", "write what was captured; the guest runs"},
    {seal, "seal", "hash, sync, rename: durable and visible"},
  });
}

inline std::string to_string(stage x) {
  return std::string{schema::name_of(x)};
}

/// What to capture.
enum class branch_mode : uint8_t { automatic, full, live, diff };

constexpr auto enum_table(branch_mode) {
  using enum branch_mode;
  return std::to_array<schema::enum_entry<branch_mode>>({
    {automatic, "auto", "the cheapest that the driver and the disk allow"},
    {full, "full", "all memory, in a snapshot that needs no other"},
    {live, "live", "write-protect memory; copy it while the guest runs"},
    {diff, "diff", "what changed since the snapshot before"},
  });
}

/// Whether a branch reserves its files before it pauses the guest.
enum class reserve_policy : uint8_t { off, best_effort, required };

constexpr auto enum_table(reserve_policy) {
  using enum reserve_policy;
  return std::to_array<schema::enum_entry<reserve_policy>>({
    {off, "off", "do not reserve"},
    {best_effort, "best-effort", "go on where the file system cannot"},
    {required, "required", "refuse where the file system cannot"},
  });
}

/// What became of the reservation.
enum class reserve_outcome : uint8_t {
  not_tried,
  reserved,
  unsupported,
  no_space,
  quota,
};

constexpr auto enum_table(reserve_outcome) {
  using enum reserve_outcome;
  return std::to_array<schema::enum_entry<reserve_outcome>>({
    {not_tried, "not_tried"},
    {reserved, "reserved"},
    {unsupported, "unsupported", "this file system cannot"},
    {no_space, "no_space"},
    {quota, "quota"},
  });
}

/// One stage that ran, whether it succeeded or not.
struct stage_timing {
  stage which = stage::admit;
  microseconds start{0};
  microseconds elapsed{0};

  friend bool operator==(const stage_timing&, const stage_timing&) = default;
  static constexpr schema::about about{"stage_timing", "One stage that ran."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("stage", &stage_timing::which, "Which stage."),
      schema::field("start_us", &stage_timing::start,
                    "When it began, since the node took the request."),
      schema::field("elapsed_us", &stage_timing::elapsed, "How long it took."),
    };
  }
};

/// Asks for a snapshot of a running sandbox, which runs on.
struct branch_request {
  operation_id operation = {};
  sandbox_id sandbox = {};
  snapshot_tag tag = {};
  branch_mode mode = branch_mode::automatic;
  milliseconds deadline{0};
  milliseconds max_pause{0};
  std::vector<std::string> labels = {};
  std::string note = {};
  uint64_t epoch = 0;
  std::string subject = {};

  friend bool operator==(const branch_request&,
                         const branch_request&) = default;
  static constexpr schema::about about{
    "branch_request", "Take a snapshot of a running sandbox, which runs on.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &branch_request::operation,
                    "Made by the client; a retry carries the same one."),
      schema::field("sandbox", &branch_request::sandbox,
                    "The sandbox to branch.", schema::need::required),
      schema::field("tag", &branch_request::tag,
                    "The name of the result; made from the sandbox and the "
                    "operation when empty."),
      schema::field("mode", &branch_request::mode, "What to capture."),
      schema::field("deadline_ms", &branch_request::deadline,
                    "Time left for the whole branch; 0 takes the fleet's."),
      schema::field("max_pause_ms", &branch_request::max_pause,
                    "Refuse rather than let the guest stand for longer; 0 "
                    "takes the fleet's."),
      schema::field("labels", &branch_request::labels,
                    "KEY=VALUE each: the snapshot's labels."),
      schema::field("note", &branch_request::note,
                    "A line for people, kept with the snapshot."),
      schema::field("epoch", &branch_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
      schema::field("subject", &branch_request::subject,
                    "Who asks, as the coordinator saw it; what a client says "
                    "of itself is overwritten.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// How a branch ended that had started. One that never started ends in an
/// error instead.
struct branch_report {
  operation_id operation = {};
  sandbox_id sandbox = {};
  snapshot_tag tag = {};
  host_name host = {};
  failure outcome = {};
  branch_mode mode = branch_mode::automatic;
  std::string method = {};
  std::string reason = {};
  snapshot_tag base = {};
  microseconds pause{0};
  microseconds vmm_pause{0};
  microseconds predicted_pause{0};
  milliseconds max_pause{0};
  microseconds delayed{0};
  microseconds total{0};
  std::vector<stage_timing> stages = {};
  uint64_t memory_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t vmstate_bytes = 0;
  uint64_t passes = 0;
  uint64_t residual_bytes = 0;
  uint64_t dirty_bytes_per_second = 0;
  uint64_t unwritten_bytes = 0;
  reserve_outcome reserve = reserve_outcome::not_tried;
  uint64_t reserved_bytes = 0;
  uint64_t missing_bytes = 0;
  std::string file_system = {};
  std::string root_hash = {};
  microseconds started_at{0};
  std::vector<std::string> warnings = {};
  std::string subject = {};

  friend bool operator==(const branch_report&, const branch_report&) = default;
  static constexpr schema::about about{"branch_report",
                                       "How a branch ended that had started."};

private:
  static constexpr auto fields_of_work() {
    return std::tuple{
      schema::field("operation", &branch_report::operation,
                    "The operation's id."),
      schema::field("sandbox", &branch_report::sandbox, "The source."),
      schema::field("tag", &branch_report::tag, "The snapshot's name."),
      schema::field("host", &branch_report::host, "Where it was done."),
      schema::field("outcome", &branch_report::outcome,
                    "none: the snapshot is sealed."),
      schema::field("mode", &branch_report::mode,
                    "What was captured: full, diff or live."),
      schema::field("method", &branch_report::method, "How the driver did it."),
      schema::field("reason", &branch_report::reason,
                    "Why not a better method or mode; empty: it is the best."),
      schema::field("base", &branch_report::base,
                    "The snapshot that a diff is relative to."),
      schema::field("subject", &branch_report::subject,
                    "Who asked for it; empty: nobody knows any more."),
    };
  }

  static constexpr auto fields_of_time() {
    return std::tuple{
      schema::field("pause_us", &branch_report::pause,
                    "How long the guest stood still: from its stop to it "
                    "seen running."),
      schema::field("vmm_pause_us", &branch_report::vmm_pause,
                    "The pause by the VMM's own stamps; 0 where it has none."),
      schema::field("predicted_pause_us", &branch_report::predicted_pause,
                    "What the pause was expected to be just before it."),
      schema::field("max_pause_ms", &branch_report::max_pause,
                    "The pause that was allowed; 0: any."),
      schema::field("delayed_us", &branch_report::delayed,
                    "How long the pause was put off: for a shorter one, or "
                    "for unwritten data."),
      schema::field("total_us", &branch_report::total,
                    "From the request's arrival at the node to its end."),
      schema::field("stages", &branch_report::stages,
                    "The stages that ran, in order."),
    };
  }

  static constexpr auto fields_of_memory() {
    return std::tuple{
      schema::field("memory_bytes", &branch_report::memory_bytes,
                    "The guest's memory."),
      schema::field("written_bytes", &branch_report::written_bytes,
                    "What was written to the snapshot's files."),
      schema::field("vmstate_bytes", &branch_report::vmstate_bytes,
                    "The device state's size."),
      schema::field("passes", &branch_report::passes,
                    "Copies of changed memory while the guest still ran."),
      schema::field("residual_bytes", &branch_report::residual_bytes,
                    "What was copied while the guest stood still."),
      schema::field("dirty_bytes_per_second",
                    &branch_report::dirty_bytes_per_second,
                    "How fast the guest changed its memory; 0: not measured."),
      schema::field("unwritten_bytes", &branch_report::unwritten_bytes,
                    "Earlier snapshots' data that was not yet on the disk "
                    "when the guest was paused."),
    };
  }

  static constexpr auto fields_of_disk() {
    return std::tuple{
      schema::field("reserve", &branch_report::reserve,
                    "What became of the reservation."),
      schema::field("reserved_bytes", &branch_report::reserved_bytes,
                    "How much was reserved."),
      schema::field("missing_bytes", &branch_report::missing_bytes,
                    "How much could not be had, when the disk was full."),
      schema::field("file_system", &branch_report::file_system,
                    "Where the snapshot lies."),
      schema::field("root_hash", &branch_report::root_hash,
                    "The snapshot's content, as SHA-256 in hex."),
      schema::field("started_at_us", &branch_report::started_at,
                    "When the node took it, in Unix time."),
      schema::field("warnings", &branch_report::warnings,
                    "What an operator should know."),
    };
  }

public:
  static constexpr auto fields() {
    return std::tuple_cat(fields_of_work(), fields_of_time(),
                          fields_of_memory(), fields_of_disk());
  }
};

/// Asks what became of an operation.
struct operation_query {
  operation_id operation = {};

  friend bool operator==(const operation_query&,
                         const operation_query&) = default;
  static constexpr schema::about about{"operation_query",
                                       "What became of an operation?",
                                       schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &operation_query::operation, "Its id.",
                    schema::need::required),
    };
  }
};

enum class operation_state : uint8_t { unknown, running, ended };

constexpr auto enum_table(operation_state) {
  using enum operation_state;
  return std::to_array<schema::enum_entry<operation_state>>({
    {unknown, "unknown",
     "nobody here knows it: it never started, or its "
     "host has not joined"},
    {running, "running"},
    {ended, "ended", "the report says how"},
  });
}

/// What is known of a branch.
struct operation_status {
  operation_id operation = {};
  operation_state state = operation_state::unknown;
  branch_report report = {};
  std::string asked = {};

  friend bool operator==(const operation_status&,
                         const operation_status&) = default;
  static constexpr schema::about about{"operation_status",
                                       "What is known of a branch."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &operation_status::operation, "Its id."),
      schema::field("state", &operation_status::state, "How far it is."),
      schema::field("report", &operation_status::report,
                    "How it ended; while it runs, what is known so far."),
      schema::field("asked", &operation_status::asked,
                    "The request's digest, by which a repeated id that asks "
                    "for something else is told."),
    };
  }
};

} // namespace forkfleet
