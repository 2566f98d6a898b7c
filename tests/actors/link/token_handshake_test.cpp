// SPDX-License-Identifier: Apache-2.0
#include "actors/link/token_handshake.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <netinet/in.h>
#include <poll.h>
#include <thread>

#include <catch2/catch.hpp>

#include "actors/link/owned_fd.hpp"
#include "tests/support/link_fixture.hpp"

using namespace forkfleet;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

sockaddr_in loopback(uint16_t port) {
  auto address = sockaddr_in{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Another user's program at a port: keeps what it hears, and passes it on to
/// `target` and back, where there is one.
class stranger {
public:
  explicit stranger(uint16_t target = 0) : target_(target) {
    socket_ = owned_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    auto address = loopback(0);
    auto size = socklen_t{sizeof address};
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_.get(), raw, size) == 0);
    REQUIRE(::listen(socket_.get(), 8) == 0);
    REQUIRE(::getsockname(socket_.get(), raw, &size) == 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~stranger() { end(); }

  /// What it heard, after its end.
  const std::string& end() {
    is_over_ = true;
    if (thread_.joinable())
      thread_.join();
    return heard_;
  }

  uint16_t port = 0;

private:
  static bool is_readable(int fd) {
    auto x = pollfd{fd, POLLIN, 0};
    return ::poll(&x, 1, 20) > 0;
  }

  void serve() {
    while (!is_over_)
      if (is_readable(socket_.get()))
        pass_on(owned_fd{::accept(socket_.get(), nullptr, nullptr)});
  }

  void pass_on(owned_fd guest) {
    auto far = owned_fd{};
    if (target_ != 0) {
      far = owned_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
      const auto address = loopback(target_);
      if (::connect(far.get(), reinterpret_cast<const sockaddr*>(&address),
                    sizeof address)
          != 0)
        return;
    }
    while (!is_over_ && copy(guest, far, &heard_)
           && (!far || copy(far, guest, nullptr)))
      continue;
  }

  static bool copy(const owned_fd& from, const owned_fd& to,
                   std::string* heard) {
    if (!is_readable(from.get()))
      return true;
    char bytes[4096];
    const auto size = ::recv(from.get(), bytes, sizeof bytes, 0);
    if (size <= 0)
      return false;
    if (heard != nullptr)
      heard->append(bytes, static_cast<std::size_t>(size));
    return !to
           || ::send(to.get(), bytes, static_cast<std::size_t>(size),
                     MSG_NOSIGNAL)
                == size;
  }

  uint16_t target_;
  owned_fd socket_;
  std::string heard_;
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

struct token_port {
  token_port() {
    auto name = (fs::temp_directory_path() / "forkfleet-token-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
    ann = make_token(tokens(), "ann", access_role::operate).value();
    port = coordinator.link()
             .listen({"127.0.0.1", 0, {}}, {.token = tokens()},
                     coordinator.make_coordinator())
             .value();
  }
  ~token_port() {
    auto ignored = std::error_code{};
    fs::remove_all(directory, ignored);
  }
  std::string tokens() const { return directory + "/tokens"; }

  static failure dial(uint16_t where, const std::string& token) {
    test::program tool;
    const auto found = tool.connect({"127.0.0.1", where, {}}, {.token = token});
    return found ? failure{} : found.error();
  }

  test::program coordinator;
  std::string directory;
  std::string ann;
  uint16_t port = 0;
};

} // namespace

TEST_CASE_METHOD(token_port, "a token opens the port, with its role",
                 "[actors][token_handshake]") {
  test::program tool;
  const auto found = tool.connect({"127.0.0.1", port, {}}, {.token = ann});
  REQUIRE(found);
  CHECK(coordinator.link().subjects()(tool.system().node())
        == access_subject{"token:ann", {}, access_role::operate});
}

TEST_CASE_METHOD(token_port, "another secret under a known name opens nothing",
                 "[actors][token_handshake][safety]") {
  const auto forged =
    make_token(directory + "/forged", "ann", access_role::admin);
  REQUIRE(forged);
  CHECK(dial(port, *forged).code == ec::not_permitted);
  CHECK(test::eventually(
    [&] { return coordinator.link().counters().handshakes_refused == 1; }));
}

TEST_CASE_METHOD(token_port, "a token that was removed opens nothing",
                 "[actors][token_handshake][safety]") {
  fs::rename(ann, directory + "/kept.token");
  CHECK(dial(port, directory + "/kept.token").code == ec::not_permitted);
}

TEST_CASE_METHOD(token_port, "who has no token is closed at once",
                 "[actors][token_handshake][safety]") {
  test::program tool;
  CHECK_FALSE(tool.connect({"127.0.0.1", port, {}}));
  CHECK(coordinator.link().counters().handshakes_refused == 1);
  CHECK(coordinator.link().counters().frames_passed == 0);
}

TEST_CASE_METHOD(token_port, "a stranger at the port learns no secret",
                 "[actors][token_handshake][safety]") {
  auto other = stranger{};
  auto tool = client{{.coordinator = {"127.0.0.1", other.port, {}},
                      .tls = {.token = ann},
                      .connect = 500ms}};
  CHECK_FALSE(tool.ask<done>(stop_request{.sandbox = {"secret-box"}}, 1s));
  const auto secret = read_token(ann)->secret;
  const auto& heard = other.end();
  CHECK(heard.find(secret) == std::string::npos);
  CHECK(heard.find("secret-box") == std::string::npos);
  CHECK(heard.size() % token_hello_size == 0);
}

TEST_CASE_METHOD(token_port, "who passes on what both sides say is refused",
                 "[actors][token_handshake][safety]") {
  auto between = stranger{port};
  const auto why = dial(between.port, ann);
  CHECK(why.code == ec::not_permitted);
  CHECK(why.message.find("did not prove") != std::string::npos);
  CHECK(coordinator.link().counters().frames_passed == 0);
}

TEST_CASE_METHOD(token_port, "a denied token ends its connections",
                 "[actors][token_handshake][safety]") {
  test::program tool;
  REQUIRE(tool.connect({"127.0.0.1", port, {}}, {.token = ann}));
  CHECK(coordinator.link().counters().open == 1);
  coordinator.link().deny({"token:ann"});
  CHECK(
    test::eventually([&] { return coordinator.link().counters().open == 0; }));
  CHECK(dial(port, ann).code != ec::none);
}
