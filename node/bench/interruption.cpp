// SPDX-License-Identifier: Apache-2.0
#include "node/bench/interruption.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace forkfleet::bench {

namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP};

// What a signal handler may touch.
volatile std::sig_atomic_t has_come = 0;
volatile std::sig_atomic_t write_end = -1;
int read_end = -1;

void on_signal(int) {
  const auto kept = errno;
  has_come = 1;
  [[maybe_unused]] const auto n = write(write_end, "", 1);
  errno = kept;
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  for (const auto number : signals)
    sigaction(number, &action, nullptr);
}

} // namespace

interruption::interruption() {
  auto ends = std::array<int, 2>{-1, -1};
  [[maybe_unused]] const auto n = pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK);
  has_come = 0;
  read_end = ends[0];
  write_end = ends[1];
  handle(on_signal);
}

interruption::~interruption() {
  handle(SIG_DFL);
  close(read_end);
  close(write_end);
}

bool interruption::came() const {
  return has_come != 0;
}

bool interruption::wait(std::chrono::milliseconds time) const {
  pollfd waiting{read_end, POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + time;
  while (!came()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      end - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      break;
    poll(&waiting, 1, static_cast<int>(left.count()));
  }
  return came();
}

} // namespace forkfleet::bench
