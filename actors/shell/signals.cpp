// SPDX-License-Identifier: Apache-2.0
#include "actors/shell/signals.hpp"

#include <atomic>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

#include "actors/shell/exit_code.hpp"

namespace forkfleet::shell {
namespace {

std::atomic<const std::string*> last_words{nullptr};

extern "C" void say_farewell(int) {
  if (const auto* text = last_words.load()) {
    [[maybe_unused]] const auto n =
      write(STDERR_FILENO, text->data(), text->size());
  }
  _exit(static_cast<int>(exit_code::interrupted));
}

} // namespace

signal_source::signal_source() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGINT, SIGTERM, SIGHUP})
    sigaddset(&ours, number);
  pthread_sigmask(SIG_BLOCK, &ours, &before_);
  file_.reset(signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK));
}

signal_source::~signal_source() {
  // What came while we stopped must not end us after all.
  while (take() != 0)
    continue;
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int signal_source::take() {
  signalfd_siginfo info{};
  if (read(file_.get(), &info, sizeof info) != sizeof info)
    return 0;
  return static_cast<int>(info.ssi_signo);
}

farewell::farewell(std::string text) : text_{"\n" + std::move(text) + "\n"} {
  last_words.store(&text_);
  struct sigaction action {};
  action.sa_handler = say_farewell;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}

farewell::~farewell() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
  last_words.store(nullptr);
}

} // namespace forkfleet::shell
