// SPDX-License-Identifier: Apache-2.0
// What all captures of a stopped guest share: memory goes to an arena while
// the guest stands, and from there to the files when it runs again.
#pragma once

#include <memory>
#include <vector>

#include "node/qemu/capture_method.hpp"
#include "node/qemu/guest_memory.hpp"

namespace forkfleet::qemu {

/// The most device state that is taken.
inline constexpr uint64_t state_bytes_max = 1ull << 30;

/// A capture of a stopped guest; its kinds differ in who copies.
class stopped_capture : public capture_method {
public:
  explicit stopped_capture(capture_context x) : x_{std::move(x)} {}
  ~stopped_capture() override;

  bool resumes_itself() const override { return false; }
  status prepare(const capture_plan& plan, deadline_point until) override;
  status pause(deadline_point until) override;
  status capture(deadline_point until) override;
  void resumed() override {}
  expected<capture_result> drain(deadline_point until) override;
  void abandon() noexcept override;

protected:
  /// Everything else that is done while the guest runs.
  virtual status make_ready(deadline_point until) = 0;

  /// Memory into the arena, and the device state.
  virtual status take(deadline_point until) = 0;

  /// What a child loads.
  virtual expected<std::vector<uint8_t>> device_state() = 0;

  capture_context x_;
  std::unique_ptr<arena> arena_ = {};
  std::vector<memory_range> touched_ = {}; // what `take` put into the arena

private:
  status write_memory(class page_writer& memory, memory_range range);

  capture_plan plan_ = {};
};

} // namespace forkfleet::qemu
