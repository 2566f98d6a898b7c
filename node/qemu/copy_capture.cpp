// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/mman.h>
#include <utility>

#include <fmt/format.h>

#include "node/qemu/device_state.hpp"
#include "node/qemu/stopped_capture.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::qemu {

namespace {

constexpr auto clean_up_patience = std::chrono::seconds{2};

// Reads QEMU's memory from outside, and its device state by
// xen-save-devices-state, which needs no Xen.
class copy_capture : public stopped_capture {
public:
  using stopped_capture::stopped_capture;
  ~copy_capture() override { copy_capture::abandon(); }

  std::string_view name() const override { return "stopped-copy"; }

  void abandon() noexcept override {
    stopped_capture::abandon();
    if (const auto set = std::exchange(fd_set_, {}))
      static_cast<void>(
        x_.qmp
          .execute("remove-fd", json{{"fdset-id", *set}},
                   std::chrono::steady_clock::now() + clean_up_patience)
          .has_value());
  }

  expected<capture_result> drain(deadline_point until) override {
    auto result = stopped_capture::drain(until);
    abandon();
    return result;
  }

private:
  status make_ready(deadline_point until) override {
    auto memory =
      guest_memory::open(x_.qmp.process(), x_.memory_bytes, x_.memory_path);
    if (!memory)
      return tl::unexpected(memory.error());
    memory_.emplace(std::move(*memory));
    state_.reset(::memfd_create("device-state", MFD_CLOEXEC));
    // QEMU asks for a descriptor that can only be written.
    const auto writable =
      unique_fd{::open(fmt::format("/proc/self/fd/{}", state_.get()).c_str(),
                       O_WRONLY | O_CLOEXEC)};
    if (!state_ || !writable)
      return tl::unexpected(errno_failure(errno, "memory for device state"));
    auto added =
      x_.qmp.execute("add-fd", json::object(), until, writable.get());
    if (!added)
      return tl::unexpected(added.error());
    fd_set_ = number_member(*added, "fdset-id");
    return {};
  }

  status take(deadline_point until) override {
    if (auto copied = memory_->copy(arena_->bytes(), touched_, until); !copied)
      return copied;
    const auto file = fmt::format("/dev/fdset/{}", *fd_set_);
    return x_.qmp
      .execute("xen-save-devices-state",
               json{{"filename", file}, {"live", false}}, until)
      .map([](const json&) {});
  }

  expected<std::vector<uint8_t>> device_state() override {
    const auto size = file_size(state_.get(), "device state");
    if (!size || *size > state_bytes_max)
      return fail(ec::io_failed, "the device state has no sensible size");
    auto saved = std::vector<uint8_t>(*size);
    if (auto done = read_at(state_.get(), saved, 0, "device state"); !done)
      return tl::unexpected(done.error());
    return loadable_device_state(saved, x_.machine_type);
  }

  std::optional<guest_memory> memory_ = {};
  unique_fd state_ = {};
  std::optional<uint64_t> fd_set_ = {};
};

} // namespace

std::unique_ptr<capture_method> make_copy_capture(capture_context x) {
  return std::make_unique<copy_capture>(std::move(x));
}

} // namespace forkfleet::qemu
