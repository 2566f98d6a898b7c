// SPDX-License-Identifier: Apache-2.0
// What is asked of things that are there: end an operation, and flatten,
// verify, export and import snapshots. Structs only; knows no CAF.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "actors/compare_protocol.hpp"
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
  bool accept_unsigned = false;
  std::string trusted_key = {};
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
      schema::field("accept_unsigned", &import_request::accept_unsigned,
                    "Whether an archive is taken that no key vouches for."),
      schema::field("trusted_key", &import_request::trusted_key,
                    "A public key, 64 hex digits, that is believed for this "
                    "one archive beside the fleet's own."),
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
  std::string signature = {};
  std::vector<std::string> contract = {};

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
      schema::field("signature", &archive_report::signature,
                    "Who vouches for the snapshot."),
      schema::field("contract", &archive_report::contract,
                    "What a child of it would run: KEY=VALUE each."),
    };
  }
};

/// Changes what people say of a snapshot. Its content, its manifest and its
/// root hash stay.
struct annotate_request {
  snapshot_tag tag = {};
  std::vector<std::string> labels = {};
  std::vector<std::string> dropped = {};
  bool has_note = false;
  std::string note = {};
  uint64_t epoch = 0;

  friend bool operator==(const annotate_request&,
                         const annotate_request&) = default;
  static constexpr schema::about about{
    "annotate_request", "Change a snapshot's labels or its note.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &annotate_request::tag, "Which snapshot.",
                    schema::need::required),
      schema::field("labels", &annotate_request::labels,
                    "KEY=VALUE each: added, or given another value."),
      schema::field("dropped", &annotate_request::dropped,
                    "Keys of labels to be taken away."),
      schema::field("has_note", &annotate_request::has_note,
                    "Whether the note is replaced by the one given here."),
      schema::field("note", &annotate_request::note,
                    "The new note; empty takes it away."),
      schema::field("epoch", &annotate_request::epoch,
                    "The coordinator's epoch.", schema::need::optional,
                    schema::access::internal),
    };
  }
};

/// Asks the host of a snapshot for all that it knows of it.
struct inspect_request {
  snapshot_tag tag = {};
  uint64_t epoch = 0;

  friend bool operator==(const inspect_request&,
                         const inspect_request&) = default;
  static constexpr schema::about about{
    "inspect_request", "Ask for all that is known of a snapshot.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &inspect_request::tag, "Which snapshot.",
                    schema::need::required),
      schema::field("epoch", &inspect_request::epoch,
                    "The coordinator's epoch.", schema::need::optional,
                    schema::access::internal),
    };
  }
};

/// One writable disk of a snapshot.
struct snapshot_disk {
  std::string name = {};
  uint64_t bytes = 0;
  uint64_t layers = 0;
  uint64_t stored_bytes = 0;

  friend bool operator==(const snapshot_disk&, const snapshot_disk&) = default;
  static constexpr schema::about about{"snapshot_disk",
                                       "One writable disk of a snapshot."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("name", &snapshot_disk::name, "Such as disk0."),
      schema::field("bytes", &snapshot_disk::bytes, "What the guest sees."),
      schema::field("layers", &snapshot_disk::layers,
                    "How many files lie over its base."),
      schema::field("stored_bytes", &snapshot_disk::stored_bytes,
                    "What these take on the disk, shared or not."),
    };
  }
};

/// All that the host of a snapshot knows of it.
struct inspect_report {
  snapshot_info snapshot = {};
  uint64_t unique_bytes = 0;
  std::vector<snapshot_disk> disks = {};
  bool is_read = false;
  bool is_due = false;
  std::string retention = {};
  std::string signature = {};
  std::vector<std::string> contract = {};

  friend bool operator==(const inspect_report&,
                         const inspect_report&) = default;
  static constexpr schema::about about{
    "inspect_report", "All that the host of a snapshot knows of it."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("snapshot", &inspect_report::snapshot, "The snapshot."),
      schema::field("unique_bytes", &inspect_report::unique_bytes,
                    "What a removal would free: without blocks that it shares "
                    "with others."),
      schema::field("disks", &inspect_report::disks,
                    "The disks that its guest writes."),
      schema::field("is_read", &inspect_report::is_read,
                    "Whether something reads its files right now."),
      schema::field("is_due", &inspect_report::is_due,
                    "Whether the next sweep of the retention removes it."),
      schema::field("retention", &inspect_report::retention,
                    "Why the retention keeps it or will remove it; empty: "
                    "there are no rules."),
      schema::field("signature", &inspect_report::signature,
                    "Who vouches for the snapshot."),
      schema::field("contract", &inspect_report::contract,
                    "What a child of it runs: KEY=VALUE each."),
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
