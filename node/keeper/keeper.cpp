// SPDX-License-Identifier: Apache-2.0
#include "node/keeper/keeper.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "node/console_ring.hpp"
#include "node/keeper/log.hpp"
#include "node/qemu/keeper_link.hpp"
#include "node/qemu/machine.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::keeper {

namespace {

constexpr auto guard_patience = std::chrono::seconds{3};
// A serial port of QEMU's takes some MiB in this time.
constexpr auto trim_interval = std::chrono::seconds{1};
constexpr auto tracker_patience = std::chrono::seconds{2};
// Its VMM's second line opens soon after it was started.
constexpr auto listen_patience = std::chrono::milliseconds{200};
constexpr auto listen_interval = std::chrono::seconds{1};
// In the list of what is waited for, before those of the clients.
constexpr std::size_t own_entries = 4;

// The threads that drain a pipe; each ends with its pipe.
std::atomic<int> pipes_draining = 0;

// Reads a pipe to its end and keeps nothing: a writer that finds no reader
// would hang its guest.
void drain_to_nothing(unique_fd pipe) {
  ++pipes_draining;
  std::thread{[fd = std::move(pipe)] {
    auto room = std::vector<char>(1 << 20);
    for (;;) {
      const auto got = ::read(fd.get(), room.data(), room.size());
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
        break;
      if (got < 0 && errno == EAGAIN) {
        auto entry = pollfd{.fd = fd.get(), .events = POLLIN, .revents = 0};
        ::poll(&entry, 1, -1);
      }
    }
    log_line("pipe.drained", "to its end");
    --pipes_draining;
  }}.detach();
}

std::chrono::milliseconds milliseconds_in(std::string_view text) {
  int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return std::chrono::milliseconds{std::max<int64_t>(count, 0)};
}

pollfd entry_of(int fd, short events = POLLIN) {
  return {.fd = fd, .events = events, .revents = 0};
}

} // namespace

keeper::keeper(options settings)
  : settings_{std::move(settings)}, watchdog_{settings_.watchdog} {}

status keeper::start() {
  auto listener = qemu::listen_unix(qemu::keeper_socket, SOCK_SEQPACKET);
  if (!listener)
    return tl::unexpected(listener.error());
  listener_ = std::move(*listener);
  if (settings_.leash_pid > 0) {
    leash_ = qemu::open_pid(settings_.leash_pid);
    if (!leash_)
      return tl::unexpected(errno_failure(
        errno, fmt::format("process {}, the leash", settings_.leash_pid)));
  }
  if (settings_.vmm.empty())
    return {};
  // Who takes the record away looks for this socket next: either it finds
  // us, or we find the record gone.
  if (const auto& record = settings_.record;
      !record.empty() && ::access(record.c_str(), F_OK) != 0)
    return tl::unexpected(
      errno_failure(errno, "the VM is not wanted any more: " + record));
  return vmm_.start(settings_);
}

void keeper::run() {
  while (is_needed()) {
    wait();
    look_at_leases();
    hear_vmm();
    trim_outputs();
    watchdog_.step_if_busy();
  }
  log_line("keeper.ended", "nothing left to keep");
}

bool keeper::is_needed() const {
  if (vmm_.is_there())
    return true;
  if (!settings_.vmm.empty())
    return false;
  if (watchdog_.is_busy() || pipes_draining > 0)
    return true;
  return !leaves_
         && (!clients_.empty() || clock::now() - idle_since_ < idle_time_max);
}

void keeper::wait() {
  auto entries = std::vector<pollfd>{
    entry_of(listener_.get()), entry_of(leash_.get()), entry_of(vmm_.pidfd()),
    entry_of(hears_vmm() ? watchdog_.socket() : -1)};
  for (const auto& x : clients_) {
    entries.push_back(entry_of(x.socket.get()));
    // No events: only the hang-up is of interest, and always told.
    entries.push_back(entry_of(x.pipe.get(), 0));
  }
  if (::poll(entries.data(), entries.size(), wait_milliseconds()) <= 0)
    return;
  const auto count = clients_.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (entries[own_entries + 2 * i + 1].revents != 0)
      clients_[i].pipe.reset();
    if (entries[own_entries + 2 * i].revents != 0)
      serve(clients_[i]);
  }
  std::erase_if(clients_, [](const client& x) { return !x.socket; });
  if (entries[0].revents != 0)
    accept_client();
  if (entries[1].revents != 0)
    leash_pulled();
  if (entries[2].revents != 0) {
    hear_vmm();
    vmm_.reap(told_end_);
  }
}

int keeper::wait_milliseconds() const {
  if (watchdog_.is_busy())
    return static_cast<int>(std::chrono::milliseconds{step_interval}.count());
  auto next = clock::now() + std::chrono::seconds{10};
  if (settings_.output_bytes > 0)
    next = std::min(next, next_trim_);
  if (vmm_.is_there() && !told_end_.empty())
    next = std::min(next, end_limit_);
  else if (vmm_.is_there() && watchdog_.socket() < 0)
    next = std::min(next, next_listen_);
  for (const auto& x : clients_)
    if (x.is_armed && !x.is_expired)
      next = std::min(next, x.lease);
  for (const auto& x : clients_)
    if (x.is_reading && x.pipe)
      next = std::min(next, x.reading);
  // A drained pipe wakes nobody up.
  if (pipes_draining > 0)
    next = std::min(next, clock::now() + step_interval);
  return qemu::milliseconds_until(next);
}

// Not within a pause, of which the VMM tells, too: a processor that is busy
// with that is missing for the pause.
bool keeper::hears_vmm() const {
  return vmm_.is_there() && told_end_.empty()
         && std::ranges::none_of(clients_, [](const client& x) {
              return x.is_armed && !x.is_expired;
            });
}

// A guest that has ended must not keep its VM.
void keeper::hear_vmm() {
  if (!vmm_.is_there() || (told_end_.empty() && !hears_vmm()))
    return;
  const auto now = clock::now();
  if (told_end_.empty()) {
    if (watchdog_.socket() < 0 && now >= next_listen_) {
      const bool may_tell = watchdog_.listen(now + listen_patience);
      next_listen_ =
        may_tell ? clock::now() + listen_interval : clock::time_point::max();
    }
    told_end_ = watchdog_.told_end();
    end_limit_ = now + vmm_end_max;
  } else if (now >= end_limit_) {
    log_line("vmm.hangs", "it said that it ends: " + told_end_);
    vmm_.kill();
    end_limit_ = now + vmm_end_max;
  }
}

// What a guest prints would fill the disk of all.
void keeper::trim_outputs() {
  const auto now = clock::now();
  if (settings_.output_bytes == 0 || now < next_trim_)
    return;
  next_trim_ = now + trim_interval;
  for (const auto& name : {std::string{qemu::console_file}, settings_.log})
    if (auto trimmed = trim_ring(name, settings_.output_bytes);
        !trimmed && !std::exchange(is_trim_told_, true))
      log_line("output.unbounded", to_string(trimmed.error()));
}

void keeper::look_at_leases() {
  const auto now = clock::now();
  for (auto& x : clients_) {
    if (x.is_reading && x.pipe && now >= x.reading) {
      log_line("pipe.late", "the node does not read it to its end");
      take_pipe(x);
    }
    if (!x.is_armed || x.is_expired || now < x.lease)
      continue;
    log_line("lease.expired", "the node is late");
    x.is_expired = true;
    take_pipe(x);
    watchdog_.begin();
  }
}

// The guest's writes wait for who reads the pipe. What the node reads from
// here on is not whole.
void keeper::take_pipe(client& x) {
  if (!x.pipe)
    return;
  x.is_pipe_lost = true;
  drain_to_nothing(std::move(x.pipe));
}

void keeper::accept_client() {
  auto socket = unique_fd{
    ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!socket || clients_.size() == clients_max)
    return;
  clients_.push_back({.socket = std::move(socket)});
}

void keeper::serve(client& x) {
  auto room = std::array<char, qemu::keeper_message_max>{};
  auto got = qemu::receive(x.socket.get(), room, clock::now());
  if (!got && got.error().code == ec::deadline_exceeded)
    return;
  if (!got || got->bytes == 0)
    drop(x, "its connection ended");
  else
    answer(x, {room.data(), got->bytes}, std::move(got->passed));
}

void keeper::answer(client& x, std::string_view request, unique_fd passed) {
  constexpr std::string_view lease = "lease ";
  constexpr std::string_view reading = "reading ";
  if (request == "hello") {
    say(x, fmt::format("hello {} {} {}", ::getpid(), vmm_.id().pid,
                       vmm_.id().start_ticks));
  } else if (request == "guard") {
    guard(x, std::move(passed));
  } else if (request.starts_with(lease)) {
    x.lease = clock::now() + milliseconds_in(request.substr(lease.size()));
    x.is_armed = true;
    x.is_expired = false;
  } else if (request == "resumed") {
    say(x, x.is_expired ? "expired" : "in-time");
    x.is_armed = false;
    x.is_expired = false;
  } else if (request.starts_with(reading)) {
    x.reading = clock::now() + milliseconds_in(request.substr(reading.size()));
    x.is_reading = true;
  } else if (request == "read") {
    say(x, x.is_pipe_lost ? "expired" : "in-time");
    x.is_reading = false;
    x.pipe.reset();
  } else if (request == "tracker") {
    give_tracker(x);
  } else if (request == "leave") {
    leaves_ = true;
  } else {
    drop(x, "it spoke nonsense");
  }
}

void keeper::guard(client& x, unique_fd pipe) {
  // What an earlier node left is finished first: a late resume would tear
  // the capture that is about to begin.
  for (watchdog_.step_if_busy(); watchdog_.is_busy(); watchdog_.step_if_busy())
    ::poll(nullptr, 0, wait_milliseconds());
  x.pipe = std::move(pipe);
  x.is_reading = false;
  x.is_pipe_lost = false;
  const auto ready = watchdog_.check(clock::now() + guard_patience);
  if (ready)
    say(x, "guarded");
  else
    say(x, ("unguarded " + to_string(ready.error()))
             .substr(0, qemu::keeper_message_max));
}

void keeper::give_tracker(const client& x) {
  const auto tracker = vmm_.tracker(clock::now() + tracker_patience);
  if (tracker)
    say(x, "tracker", *tracker);
  else
    say(x, ("untracked " + tracker.error().message)
             .substr(0, qemu::keeper_message_max));
}

void keeper::drop(client& x, std::string_view why) {
  if (x.is_armed) {
    log_line("node.lost", why);
    watchdog_.begin();
  }
  if (x.pipe)
    drain_to_nothing(std::move(x.pipe));
  x.socket.reset();
  idle_since_ = clock::now();
}

void keeper::say(const client& x, std::string_view text, int pass) {
  // A node that does not read is as good as gone; its lease tells.
  static_cast<void>(
    qemu::send_text(x.socket.get(), text, pass, clock::now()).has_value());
}

void keeper::leash_pulled() {
  log_line("leash.pulled", "its process has ended");
  leash_.reset();
  vmm_.kill();
  leaves_ = true;
  for (auto& x : clients_)
    drop(x, "the leash was pulled");
  std::erase_if(clients_, [](const client& x) { return !x.socket; });
}

} // namespace forkfleet::keeper
