// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/state_saver.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "node/qemu/device_state.hpp"
#include "node/storage/file.hpp"

namespace forkfleet::qemu {

namespace {

constexpr auto release_patience = std::chrono::seconds{2};
constexpr const char* state_name = "the device state";

} // namespace

status state_saver::prepare(deadline_point until) {
  state_.reset(::memfd_create("device-state", MFD_CLOEXEC));
  // QEMU asks for a descriptor that can only be written.
  writable_.reset(::open(fmt::format("/proc/self/fd/{}", state_.get()).c_str(),
                         O_WRONLY | O_CLOEXEC));
  if (!state_ || !writable_)
    return tl::unexpected(errno_failure(errno, "memory for device state"));
  auto added = qmp_->execute("add-fd", json::object(), until, writable_.get());
  if (!added)
    return tl::unexpected(added.error());
  fd_set_ = number_member(*added, "fdset-id");
  return {};
}

status state_saver::save(deadline_point until) {
  const auto file = fmt::format("/dev/fdset/{}", fd_set_.value_or(0));
  if (::ftruncate(state_.get(), 0) != 0
      || ::lseek(writable_.get(), 0, SEEK_SET) != 0)
    return tl::unexpected(errno_failure(errno, state_name));
  // Not `live`: that would also let go of the guest's disks.
  return qmp_
    ->execute("xen-save-devices-state",
              json{{"filename", file}, {"live", false}}, until)
    .map([](const json&) {});
}

expected<std::vector<uint8_t>>
state_saver::loadable(std::string_view machine_type) const {
  const auto size = file_size(state_.get(), state_name);
  if (!size || *size > state_bytes_max)
    return fail(ec::io_failed, "the device state has no sensible size");
  auto saved = std::vector<uint8_t>(*size);
  if (auto done = read_at(state_.get(), saved, 0, state_name); !done)
    return tl::unexpected(done.error());
  return loadable_device_state(saved, machine_type);
}

void state_saver::release() noexcept {
  if (const auto set = std::exchange(fd_set_, {}))
    static_cast<void>(
      qmp_
        ->execute("remove-fd", json{{"fdset-id", *set}},
                  std::chrono::steady_clock::now() + release_patience)
        .has_value());
}

} // namespace forkfleet::qemu
