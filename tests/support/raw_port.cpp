// SPDX-License-Identifier: Apache-2.0
#include "tests/support/raw_port.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <vector>

namespace forkfleet::test {

namespace {

void serve(int socket, const std::string& greeting,
           const std::atomic<bool>& is_over, std::atomic<bool>& had_guest) {
  auto guests = std::vector<owned_fd>{};
  while (!is_over) {
    auto entry = pollfd{.fd = socket, .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 20) != 1)
      continue;
    guests.emplace_back(::accept(socket, nullptr, nullptr));
    if (!greeting.empty())
      ::send(guests.back().get(), greeting.data(), greeting.size(),
             MSG_NOSIGNAL);
    had_guest = true;
  }
}

} // namespace

raw_port::raw_port(std::string greeting)
  : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto where = sockaddr_in{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto size = socklen_t{sizeof where};
  auto* address = reinterpret_cast<sockaddr*>(&where);
  if (::bind(socket_.get(), address, size) != 0
      || ::listen(socket_.get(), 8) != 0
      || ::getsockname(socket_.get(), address, &size) != 0)
    return;
  number_ = ntohs(where.sin_port);
  thread_ = std::thread{[this, greeting = std::move(greeting)] {
    serve(socket_.get(), greeting, is_over_, had_guest_);
  }};
}

raw_port::~raw_port() {
  is_over_ = true;
  if (thread_.joinable())
    thread_.join();
}

bool raw_port::wait_for_guest(std::chrono::milliseconds limit) const {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!had_guest_ && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  return had_guest_;
}

} // namespace forkfleet::test
