// SPDX-License-Identifier: Apache-2.0
// What the example guest is to do, from the kernel's command line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace forkfleet::guest {

/// How the guest waits between two ticks.
enum class idle_kind : uint8_t {
  spin,  // sweeps the ring: a busy guest and the finest figures
  sleep, // halts: an idle guest; gaps are seen at the tick's resolution
};

/// The words `ff.<name>=<value>` of the kernel's command line.
struct settings {
  /// MiB of pages that are written each second; 0 to 4096.
  uint64_t rate_mib = 100;
  /// MiB of the ring that is written in turn; 1 to 1048576.
  uint64_t set_mib = 64;
  /// Microseconds from tick to tick; 100 to 1000000.
  uint64_t tick_us = 500;
  /// 1: writes and checks its first disk, too.
  uint64_t disk = 0;
  /// 0: uses no port, so there is no debug console and no clock to measure
  /// gaps by. For hosts that are emulated themselves: QEMU 7.2's emulation of
  /// SVM loses a program's right to use ports when its VM is restored.
  uint64_t ports = 1;
  /// So many threads read its last disk, which is numbered, all the time; 0
  /// to 8.
  uint64_t direct = 0;
  /// MiB of pages that are filled, zeroed, freed and exchanged by a thread of
  /// their own, at the rate of the ring; 0 to 1048576.
  uint64_t churn_mib = 0;
  idle_kind idle = idle_kind::spin;
  /// What was wrong with the words, one sentence each; a wrong word leaves
  /// the default.
  std::vector<std::string> problems = {};
};

/// Reads the settings out of the kernel's command line. Words that do not
/// begin with `ff.` belong to others and are passed over.
settings parse_settings(std::string_view command_line);

} // namespace forkfleet::guest
