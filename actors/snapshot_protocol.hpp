// SPDX-License-Identifier: Apache-2.0
// What is asked of things that are there: end an operation, and flatten,
// verify, export and import snapshots. Structs only; knows no CAF.
#pragma once

#include <cstddef>
#include <string_view>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// Ends an operation before its time.
struct cancel_request {
  operation_id operation = {};
  uint64_t epoch = 0;

  friend bool operator==(const cancel_request&,
                         const cancel_request&) = default;
  static constexpr schema::about about{
    "cancel_request",
    "End a branch before its time: one that waits never starts, one that "
    "runs ends with cancelled once its guest runs; one that has ended stays "
    "as it ended.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &cancel_request::operation, "Its id.",
                    schema::need::required),
      schema::field("epoch", &cancel_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// Makes a snapshot's memory one flat file, so that it needs no other
/// snapshot. Its content and its root hash stay.
struct flatten_request {
  snapshot_tag tag = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const flatten_request&,
                         const flatten_request&) = default;
  static constexpr schema::about about{
    "flatten_request", "Make a snapshot's memory one flat file.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &flatten_request::tag, "Which snapshot.",
                    schema::need::required),
      schema::field("deadline_ms", &flatten_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &flatten_request::epoch,
                    "The coordinator's epoch.", schema::need::optional,
                    schema::access::internal),
    };
  }
};

/// Reads a snapshot and all that it is based on, and compares every hash.
struct verify_request {
  snapshot_tag tag = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const verify_request&,
                         const verify_request&) = default;
  static constexpr schema::about about{
    "verify_request", "Read a snapshot and compare every hash.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &verify_request::tag, "Which snapshot.",
                    schema::need::required),
      schema::field("deadline_ms", &verify_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &verify_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// What a verification found.
struct verify_report {
  snapshot_tag tag = {};
  host_name host = {};
  failure outcome = {};
  uint64_t bytes = 0;
  uint64_t hashes = 0;
  microseconds elapsed{0};

  friend bool operator==(const verify_report&, const verify_report&) = default;
  static constexpr schema::about about{"verify_report",
                                       "What a verification found."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &verify_report::tag, "The snapshot."),
      schema::field("host", &verify_report::host, "Where it lies."),
      schema::field("outcome", &verify_report::outcome,
                    "none: every hash is right; snapshot_corrupt names the "
                    "first place that is not."),
      schema::field("bytes", &verify_report::bytes, "How much was read."),
      schema::field("hashes", &verify_report::hashes, "Hashes compared."),
      schema::field("elapsed_us", &verify_report::elapsed, "How long it took."),
    };
  }
};

/// Writes a snapshot to one file in its host's directory of archives.
struct export_request {
  snapshot_tag tag = {};
  std::string file = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const export_request&,
                         const export_request&) = default;
  static constexpr schema::about about{
    "export_request",
    "Write a snapshot to a file in its host's directory of archives.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &export_request::tag, "Which snapshot.",
                    schema::need::required),
      schema::field("file", &export_request::file,
                    "The archive's name, without a path; made from the tag "
                    "when empty. It must not be there yet."),
      schema::field("deadline_ms", &export_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &export_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// Makes a snapshot of an archive that lies in the host's directory of
/// archives.
struct import_request {
  std::string file = {};
  host_name host = {};
  snapshot_tag tag = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const import_request&,
                         const import_request&) = default;
  static constexpr schema::about about{
    "import_request",
    "Make a snapshot of an archive in a host's directory of archives.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("file", &import_request::file,
                    "The archive's name, without a path.",
                    schema::need::required),
      schema::field("host", &import_request::host, "Where it lies.",
                    schema::need::required),
      schema::field("tag", &import_request::tag,
                    "The snapshot's name; the archive's own when empty."),
      schema::field("deadline_ms", &import_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &import_request::epoch, "The coordinator's epoch.",
                    schema::need::optional, schema::access::internal),
    };
  }
};

/// How an export or an import ended that had started.
struct archive_report {
  snapshot_tag tag = {};
  host_name host = {};
  std::string file = {};
  failure outcome = {};
  uint64_t bytes = 0;
  uint64_t stored_bytes = 0;
  microseconds elapsed{0};

  friend bool operator==(const archive_report&,
                         const archive_report&) = default;
  static constexpr schema::about about{
    "archive_report", "How an export or an import ended that had started."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &archive_report::tag, "The snapshot."),
      schema::field("host", &archive_report::host, "Where it was done."),
      schema::field("file", &archive_report::file, "The archive's whole path."),
      schema::field("outcome", &archive_report::outcome,
                    "none: the archive or the snapshot is whole."),
      schema::field("bytes", &archive_report::bytes,
                    "The guest memory that the snapshot holds."),
      schema::field("stored_bytes", &archive_report::stored_bytes,
                    "The archive's size."),
      schema::field("elapsed_us", &archive_report::elapsed,
                    "How long it took."),
    };
  }
};

/// The longest name of an archive.
inline constexpr std::size_t archive_name_length_max = 100;

/// Whether `name` is that of an archive: letters, digits, '-', '_' and '.',
/// neither '-' nor '.' first. Such a name cannot leave its directory.
constexpr bool is_archive_name(std::string_view name) {
  if (name.empty() || name.size() > archive_name_length_max
      || name.front() == '-' || name.front() == '.')
    return false;
  for (const char c : name) {
    const auto one = std::string_view{&c, 1};
    if (c != '.' && c != '-' && !is_safe_name(one, 1))
      return false;
  }
  return true;
}

/// The name of an archive that the request did not name.
inline std::string default_archive(const snapshot_tag& tag) {
  return tag.value + ".ffsnap";
}

} // namespace forkfleet
