// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/signals.hpp"

#include <atomic>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace forkfleet::shell {
namespace {

std::atomic<const std::string*> last_words{nullptr};
std::atomic<int> handle_now{-1};
std::atomic<bool> one_has_come{false};

extern "C" void say_farewell(int number) {
  auto there = pollfd{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
  const auto* text = last_words.load();
  if (text != nullptr && poll(&there, 1, 0) == 1) {
    [[maybe_unused]] const auto n =
      write(STDERR_FILENO, text->data(), text->size());
  }
  _exit(128 + number);
}

} // namespace

exit_code exit_code_after(int number) {
  return static_cast<exit_code>(128 + number);
}

int signal_source::handle_in_use() {
  return handle_now;
}

bool signal_source::has_come() {
  return one_has_come;
}

signal_source::signal_source() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&ours, number);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  file_.reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
  one_has_come = false;
  handle_now = file_.get();
}

signal_source::~signal_source() {
  // What came while we stopped must not end us after all.
  while (take() != 0)
    continue;
  handle_now = -1;
  one_has_come = false;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int signal_source::take() {
  signalfd_siginfo info{};
  if (read(file_.get(), &info, sizeof info) != sizeof info)
    return 0;
  one_has_come = true;
  return static_cast<int>(info.ssi_signo);
}

farewell::farewell(std::string text) : text_{"\n" + std::move(text) + "\n"} {
  last_words.store(&text_);
  struct sigaction action {};
  action.sa_handler = say_farewell;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
  sigaction(SIGHUP, &action, &hang_up_);
}

farewell::~farewell() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  sigaction(SIGHUP, &hang_up_, nullptr);
  last_words.store(nullptr);
}

} // namespace forkfleet::shell
