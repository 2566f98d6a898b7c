// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_qmp.hpp"

#include <array>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "node/qemu/qmp_client.hpp"
#include "node/qemu/unix_socket.hpp"

namespace forkfleet::test {

namespace {

constexpr auto patience = std::chrono::seconds{20};

deadline_point later() {
  return std::chrono::steady_clock::now() + patience;
}

} // namespace

void qmp_peer::say(const std::string& text) const {
  static_cast<void>(qemu::send_text(socket_, text, -1, later()).has_value());
}

std::string qmp_peer::hear() {
  for (;;) {
    if (const auto end = pending_.find('\n'); end != std::string::npos) {
      auto line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    auto room = std::array<char, 4096>{};
    const auto got = qemu::receive(socket_, room, later());
    if (!got || got->bytes == 0)
      return {};
    pending_.append(room.data(), got->bytes);
  }
}

void qmp_peer::greet() {
  say(R"({"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7}}}})"
      "\r\n");
  answer(R"({"return":{},"id":ID})");
}

void qmp_peer::answer(const std::string& reply) {
  const auto heard = schema::parse_json(hear());
  const auto id = heard ? qemu::number_member(*heard, "id") : 0;
  auto text = reply;
  for (auto at = text.find("ID"); at != std::string::npos; at = text.find("ID"))
    text.replace(at, 2, std::to_string(id));
  say(text + "\r\n");
}

fake_qmp::fake_qmp(std::vector<script> scripts) {
  auto listener = qemu::listen_unix(path(), SOCK_STREAM);
  REQUIRE(listener);
  listener_ = std::move(*listener);
  thread_ =
    std::thread{[listener = listener_.get(), scripts = std::move(scripts)] {
      for (const auto& serve : scripts) {
        if (!qemu::wait_readable(listener, later()))
          return;
        const auto socket =
          unique_fd{::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC)};
        auto peer = qmp_peer{socket.get()};
        if (socket)
          serve(peer);
      }
    }};
}

fake_qmp::~fake_qmp() {
  thread_.join();
}

} // namespace forkfleet::test
