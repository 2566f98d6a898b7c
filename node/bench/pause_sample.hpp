// SPDX-License-Identifier: Apache-2.0
// What `bench pause` and `bench floor` measure: one record a capture, as it
// stands in the CSV and in the JSON. Struct only; knows no CAF.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "actors/schema/fields.hpp"

namespace forkfleet::bench {

using std::chrono::microseconds;

/// The ways to capture that are compared.
enum class capture_way : uint8_t {
  floor,
  diff,
  full,
  live,
  stopped,
  attached,
  hand_background,
};

constexpr auto enum_table(capture_way) {
  using enum capture_way;
  return std::to_array<schema::enum_entry<capture_way>>({
    {floor, "floor", "by hand: stop, xen-save-devices-state, cont"},
    {diff, "diff", "what changed since the last snapshot"},
    {full, "full", "all memory"},
    {live, "live", "all memory, copied while the guest runs on"},
    {stopped, "stopped", "all memory, copied while the guest stands"},
    {attached, "attached", "live, of a VM that was not started by us"},
    {hand_background, "hand-background",
     "by hand: background-snapshot into a pipe that is read to nothing"},
  });
}

inline std::string to_string(capture_way x) {
  return std::string{schema::name_of(x)};
}

/// What became of the check of a snapshot.
enum class check_outcome : uint8_t { none, right, wrong };

constexpr auto enum_table(check_outcome) {
  using enum check_outcome;
  return std::to_array<schema::enum_entry<check_outcome>>({
    {none, "none", "no snapshot was made"},
    {right, "right", "a child of it ran and found its memory whole"},
    {wrong, "WRONG"},
  });
}

/// One capture of one VM.
struct pause_sample {
  uint64_t memory_mib = 0;
  uint64_t rate_mib = 0;
  capture_way way = capture_way::floor;
  uint64_t number = 0; // from 1
  std::string method = {};
  microseconds pause{0};
  microseconds vmm_pause{0};
  microseconds silence{0};
  microseconds guest_gap{0};
  microseconds total{0};
  uint64_t written_bytes = 0;
  uint64_t stored_bytes = 0;
  check_outcome check = check_outcome::none;
  std::string remark = {};

  friend bool operator==(const pause_sample&, const pause_sample&) = default;
  static constexpr schema::about about{"pause_sample",
                                       "One capture of one VM."};
  static constexpr auto fields() {
    using schema::field;
    return std::tuple{
      field("memory_mib", &pause_sample::memory_mib, "The VM's memory."),
      field("rate_mib", &pause_sample::rate_mib,
            "MiB that its guest dirties each second."),
      field("way", &pause_sample::way, "How it was captured."),
      field("number", &pause_sample::number, "Of this way and VM."),
      field("method", &pause_sample::method, "The driver's word for it."),
      field("pause_us", &pause_sample::pause,
            "From the stop to the guest seen running."),
      field("vmm_pause_us", &pause_sample::vmm_pause,
            "The same by QEMU's stamps."),
      field("silence_us", &pause_sample::silence,
            "The longest time that the guest was not heard around it."),
      field("guest_gap_us", &pause_sample::guest_gap,
            "The time that the guest itself found missing."),
      field("total_us", &pause_sample::total, "Until the call returned."),
      field("written_bytes", &pause_sample::written_bytes,
            "What was written to the snapshot's files."),
      field("stored_bytes", &pause_sample::stored_bytes,
            "What the snapshot takes on the disk."),
      field("check", &pause_sample::check, "Whether a child of it was right."),
      field("remark", &pause_sample::remark, "What went wrong."),
    };
  }
};

using pause_samples = std::vector<pause_sample>;

} // namespace forkfleet::bench
