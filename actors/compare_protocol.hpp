// SPDX-License-Identifier: Apache-2.0
// How two snapshots of one host differ. Structs only; knows no CAF.
#pragma once

#include <cstddef>
#include <vector>

#include "actors/sandbox_protocol.hpp"

namespace forkfleet {

/// Compares the memory of two snapshots of one host.
struct compare_request {
  snapshot_tag tag = {};
  snapshot_tag other = {};
  milliseconds deadline{0};
  uint64_t epoch = 0;

  friend bool operator==(const compare_request&,
                         const compare_request&) = default;
  static constexpr schema::about about{
    "compare_request", "Compare the memory of two snapshots of one host.",
    schema::access::scriptable};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("tag", &compare_request::tag, "One snapshot.",
                    schema::need::required),
      schema::field("other", &compare_request::other, "The other.",
                    schema::need::required),
      schema::field("deadline_ms", &compare_request::deadline,
                    "Time left; 0 takes the fleet's."),
      schema::field("epoch", &compare_request::epoch,
                    "The coordinator's epoch.", schema::need::optional,
                    schema::access::internal),
    };
  }
};

/// Pages that lie side by side.
struct memory_run {
  uint64_t offset = 0;
  uint64_t bytes = 0;

  friend bool operator==(const memory_run&, const memory_run&) = default;
  static constexpr schema::about about{"memory_run",
                                       "Pages that lie side by side."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("offset", &memory_run::offset,
                    "Where in the guest's memory file."),
      schema::field("bytes", &memory_run::bytes, "How long."),
    };
  }
};

/// The most runs that a comparison lists; all are counted.
inline constexpr std::size_t compared_runs_max = 1000;

/// How the memory of two snapshots differs.
struct compare_report {
  snapshot_tag tag = {};
  snapshot_tag other = {};
  host_name host = {};
  failure outcome = {};
  uint64_t memory_bytes = 0;
  uint64_t pages = 0;
  uint64_t bytes = 0;
  uint64_t runs = 0;
  uint64_t shared_bytes = 0;
  uint64_t read_bytes = 0;
  std::vector<memory_run> table = {};
  uint64_t disk_bytes = 0;
  microseconds elapsed{0};

  friend bool operator==(const compare_report&,
                         const compare_report&) = default;
  static constexpr schema::about about{
    "compare_report", "How the memory of two snapshots differs."};
  static constexpr auto fields() {
    using m = compare_report;
    return std::tuple{
      schema::field("tag", &m::tag, "One snapshot."),
      schema::field("other", &m::other, "The other."),
      schema::field("host", &m::host, "Where both lie."),
      schema::field("outcome", &m::outcome, "none: all was compared."),
      schema::field("memory_bytes", &m::memory_bytes, "Guest memory of each."),
      schema::field("pages", &m::pages, "How many pages differ."),
      schema::field("bytes", &m::bytes, "The same in bytes."),
      schema::field("runs", &m::runs, "How many runs they form."),
      schema::field("shared_bytes", &m::shared_bytes,
                    "What both have in the same place of the same file, and "
                    "was not read."),
      schema::field("read_bytes", &m::read_bytes,
                    "What was read of each and compared."),
      schema::field("table", &m::table, "The first 1000 runs, upwards."),
      schema::field("disk_bytes", &m::disk_bytes,
                    "Blocks of disks that either wrote since both had the "
                    "same."),
      schema::field("elapsed_us", &m::elapsed, "How long it took."),
    };
  }
};

} // namespace forkfleet
