// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/socket_server.hpp"

#include <memory>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "node/qemu/unix_socket.hpp"
#include "tests/support/listening_process.hpp"
#include "tests/support/scratch.hpp"

using namespace forkfleet;
using namespace forkfleet::qemu;
using namespace std::chrono_literals;

namespace {

deadline_point soon() {
  return std::chrono::steady_clock::now() + 20s;
}

struct server_fixture {
  test::scratch_directory home{};
  const std::string path = home.path() + "/vmm.sock";
  socket_server server{};

  status check() {
    const auto socket = connect_unix(path, SOCK_STREAM, soon());
    REQUIRE(socket);
    return server.check(socket->get(), path);
  }
};

} // namespace

TEST_CASE_METHOD(server_fixture, "the process at a socket is known again",
                 "[node][qemu][attach]") {
  const auto vmm = test::listening_process{path};
  CHECK(server.process() == process_id{});
  CHECK(check());
  CHECK(server.process().pid == vmm.pid());
  CHECK(check());
}

TEST_CASE_METHOD(server_fixture, "who takes a VMM's place is another one",
                 "[node][qemu][attach][safety]") {
  auto first = std::make_unique<test::listening_process>(path);
  REQUIRE(check());
  const auto pid = first->pid();
  SECTION("after its end") {
    first.reset();
    const auto second = test::listening_process{path};
    const auto told = check();
    REQUIRE_FALSE(told);
    CHECK(told.error().code == ec::vmm_gone);
    CHECK_THAT(told.error().message,
               Catch::Contains(std::to_string(second.pid())));
  }
  SECTION("beside it") {
    const auto second = test::listening_process{path};
    const auto told = check();
    REQUIRE_FALSE(told);
    CHECK(told.error().code == ec::vmm_unreachable);
  }
  CHECK(server.process().pid == pid);
}

TEST_CASE_METHOD(server_fixture, "only the process that is known is taken",
                 "[node][qemu][attach][safety]") {
  const auto vmm = test::listening_process{path};
  server = socket_server{identify(vmm.pid())};
  CHECK(check());
  server = socket_server{identify(::getpid())};
  const auto told = check();
  REQUIRE_FALSE(told);
  CHECK(told.error().code == ec::vmm_unreachable);
}
