// SPDX-License-Identifier: Apache-2.0
// Captures of a running QEMU done by hand over plain QMP, with nothing of
// ours in between: what a branch's pause is measured against.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "node/qemu/qmp_client.hpp"

namespace forkfleet::bench {

/// How long the guest stood still: from QEMU's stamp of the stop until we
/// knew that it ran, and by QEMU's stamps alone.
struct hand_pause {
  std::chrono::microseconds ours{0};
  std::chrono::microseconds qemus{0};
};

/// One QMP connection, and captures over it. Nothing is kept of them.
class hand_capture {
public:
  static expected<hand_capture> connect(const std::string& socket);

  /// `background-snapshot` into a pipe whose other end is read to nothing.
  expected<hand_pause> background_snapshot();

  /// `stop`, `xen-save-devices-state`, `cont`: what no capture can beat.
  expected<hand_pause> device_state(const std::string& scratch_file);

private:
  explicit hand_capture(std::unique_ptr<qemu::qmp_client> qmp)
    : qmp_{std::move(qmp)} {}

  status set_background(bool on);
  expected<hand_pause> wait_for_pause();

  std::unique_ptr<qemu::qmp_client> qmp_;
};

} // namespace forkfleet::bench
