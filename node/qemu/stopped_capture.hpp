// SPDX-License-Identifier: Apache-2.0
// What all captures of a stopped guest share: memory goes to an arena while
// the guest stands, and from there to the sink when it runs again.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "node/qemu/capture_method.hpp"
#include "node/qemu/page_buffer.hpp"

namespace forkfleet::qemu {

/// A capture of a stopped guest; its kinds differ in who copies.
class stopped_capture : public capture_method {
public:
  explicit stopped_capture(capture_context x) : x_{std::move(x)} {}

  bool resumes_itself() const override { return false; }
  status prepare(const capture_plan& plan, deadline_point until) override;
  capture_forecast forecast() const override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  void resumed() override;
  std::optional<std::chrono::microseconds> stood() const override;
  expected<capture_result> drain(deadline_point until) override;
  void abandon() noexcept override { buffer_.reset(); }

protected:
  /// Whether such a pause was measured, of this VM or of another.
  bool is_known() const { return x_.pauses.knows(kind()); }

  /// Everything else that is done while the guest runs. Sets what is to be
  /// copied, as far as it can be known.
  virtual status make_ready(deadline_point until) = 0;

  /// Memory into the buffer, and the device state.
  virtual status take(deadline_point until) = 0;

  /// Whether pages that were not taken are as in the base; otherwise they
  /// hold zeros.
  virtual bool rest_is_base() const { return false; }

  /// What a child loads.
  virtual expected<std::vector<uint8_t>> device_state() = 0;

  capture_context x_;
  capture_plan plan_ = {};
  uint64_t expected_bytes_ = x_.memory_bytes;
  /// How fast a part of it was copied while the guest ran; 0: not measured.
  uint64_t copied_bytes_per_second_ = 0;
  std::optional<page_buffer> buffer_ = {};

private:
  status write_memory() const;
  pause_kind kind() const;

  bool was_asked_to_stop_ = false;
  std::chrono::microseconds stopped_at_{0}; // by QEMU's stamp
  std::chrono::microseconds stood_{0};
};

} // namespace forkfleet::qemu
