// SPDX-License-Identifier: Apache-2.0
#include "examples/guest_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace forkfleet::guest {

namespace {

constexpr auto retry_after = std::chrono::milliseconds(1);

/// A connected socket, or errno.
expected<unique_fd> connect_once(const sockaddr_un& address) {
  unique_fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* any = reinterpret_cast<const sockaddr*>(&address);
  if (!fd || connect(fd.get(), any, sizeof address) != 0)
    return tl::unexpected(
      errno_failure(errno, address.sun_path, ec::vmm_unreachable));
  return fd;
}

} // namespace

expected<std::unique_ptr<guest_watch>>
guest_watch::open(const std::string& path, host_time deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail(ec::invalid_request,
                "socket path '" + path + "' must have 1 to 107 characters");
  path.copy(address.sun_path, path.size());
  while (true) {
    auto connected = connect_once(address);
    if (connected)
      return std::unique_ptr<guest_watch>(
        new guest_watch(path, std::move(*connected)));
    if (std::chrono::steady_clock::now() >= deadline)
      return tl::unexpected(connected.error());
    std::this_thread::sleep_for(retry_after);
  }
}

guest_watch::guest_watch(std::string path, unique_fd socket)
  : path_(std::move(path)), socket_(std::move(socket)),
    reader_([this] { read_all(); }) {}

guest_watch::~guest_watch() {
  shutdown(socket_.get(), SHUT_RDWR);
  reader_.join();
}

void guest_watch::read_all() {
  // One record at a time: the stamp is then that of the record's last byte.
  std::array<uint8_t, record_size> buffer{};
  size_t wanted = record_size;
  while (true) {
    const auto got = recv(socket_.get(), buffer.data(), wanted, MSG_WAITALL);
    const auto now = std::chrono::steady_clock::now();
    if (got < 0 && errno == EINTR)
      continue;
    const std::lock_guard lock(mutex_);
    ended_ = got <= 0;
    if (!ended_) {
      log_.feed(std::span(buffer).first(static_cast<size_t>(got)), now);
      wanted = log_.bytes_wanted();
    }
    heard_.notify_all();
    if (ended_)
      return;
  }
}

watch_log guest_watch::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

std::optional<tick> guest_watch::first() const {
  const std::lock_guard lock(mutex_);
  return log_.first();
}

std::optional<tick> guest_watch::last() const {
  const std::lock_guard lock(mutex_);
  return log_.last();
}

guest_state guest_watch::state() const {
  const std::lock_guard lock(mutex_);
  return log_.state();
}

silence guest_watch::longest_silence(host_time from, host_time to) const {
  const std::lock_guard lock(mutex_);
  return log_.longest_silence(from, to);
}

bool guest_watch::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

/// Waits until `question`, asked under the lock, has an answer.
template <class Question>
auto guest_watch::wait_for(const std::string& what, host_time deadline,
                           Question question) const
  -> expected<typename decltype(question())::value_type> {
  std::unique_lock lock(mutex_);
  while (true) {
    if (auto answer = question())
      return std::move(*answer);
    if (ended_)
      return fail(ec::vmm_gone, path_ + ": the VM ended before " + what);
    if (heard_.wait_until(lock, deadline) == std::cv_status::timeout)
      return fail(ec::deadline_exceeded,
                  path_ + ": no " + what + " by the deadline, counter at "
                    + std::to_string(log_.last() ? log_.last()->counter : 0));
  }
}

expected<tick> guest_watch::wait_for_counter(uint64_t counter,
                                             host_time deadline) const {
  const auto what = "counter " + std::to_string(counter);
  return wait_for(what, deadline, [this, counter]() -> std::optional<tick> {
    const auto last = log_.last();
    return last && last->counter >= counter ? last : std::nullopt;
  });
}

expected<tick> guest_watch::wait_for_tick(host_time when,
                                          host_time deadline) const {
  return wait_for("tick", deadline,
                  [this, when] { return log_.first_after(when); });
}

expected<guest_state> guest_watch::wait_for_error(host_time deadline) const {
  return wait_for("memory error", deadline,
                  [this]() -> std::optional<guest_state> {
                    if (log_.state().first_error.empty())
                      return std::nullopt;
                    return log_.state();
                  });
}

} // namespace forkfleet::guest
