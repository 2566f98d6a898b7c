// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/stream_task.hpp"

#include <cerrno>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "node/qemu/unix_socket.hpp"

namespace forkfleet::qemu {

namespace {

void drain_to_nothing(int pipe) {
  auto room = std::vector<uint8_t>(1 << 18);
  for (;;) {
    const auto got = ::read(pipe, room.data(), room.size());
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
  }
}

expected<split_result> split_all(int pipe, gated_sink& sink,
                                 const split_plan& plan) {
  auto source = pipe_source{pipe};
  auto result = split_stream(source, sink, plan);
  if (result)
    if (auto flushed = sink.flush(); !flushed)
      result = tl::unexpected(flushed.error());
  if (!result)
    drain_to_nothing(pipe);
  return result;
}

} // namespace

expected<std::size_t> pipe_source::read(std::span<uint8_t> room) {
  for (;;) {
    if (until_ != deadline_point::max() && !wait_readable(fd_, until_))
      return fail(ec::deadline_exceeded, "the migration stream is late");
    const auto got = ::read(fd_, room.data(), room.size());
    if (got >= 0)
      return static_cast<std::size_t>(got);
    if (errno != EINTR)
      return tl::unexpected(errno_failure(errno, "the migration pipe"));
  }
}

stream_task::stream_task(unique_fd pipe, std::shared_ptr<gated_sink> sink,
                         split_plan plan) {
  auto promise = std::promise<expected<split_result>>{};
  result_ = promise.get_future();
  std::thread{[pipe = std::move(pipe), sink = std::move(sink),
               plan = std::move(plan), told = std::move(promise)]() mutable {
    auto result = split_all(pipe.get(), *sink, plan);
    // QEMU is told only by the pipe's end; nobody must find it half open.
    pipe.reset();
    sink.reset();
    told.set_value(std::move(result));
  }}.detach();
}

expected<split_result> stream_task::wait(deadline_point until) {
  if (result_.wait_until(until) != std::future_status::ready)
    return fail(ec::deadline_exceeded, "writing the captured memory");
  return result_.get();
}

} // namespace forkfleet::qemu
