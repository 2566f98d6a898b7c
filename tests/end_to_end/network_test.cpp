// SPDX-License-Identifier: Apache-2.0
// Guests on a network: real guests in namespaces of their own, a host, and a
// machine beyond it, all in network namespaces that the test made.
#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <poll.h>
#include <sched.h>
#include <set>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "actors/switch_protocol.hpp"
#include "actors/unique_fd.hpp"
#include "node/network/net_links.hpp"
#include "node/network/net_space.hpp"
#include "node/network/sandbox_networks.hpp"
#include "tests/support/fleet_fixture.hpp"
#include "tests/support/skip.hpp"

using namespace forkfleet;
using namespace forkfleet::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* host_side = "192.0.2.1";
constexpr const char* far_side = "192.0.2.2";
constexpr uint16_t open_port = 8080;
constexpr uint16_t closed_port = 8081;

sockaddr_in address_of(const std::string& text, uint16_t port) {
  sockaddr_in result = {};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  ::inet_pton(AF_INET, text.c_str(), &result.sin_addr);
  return result;
}

std::string text_of(const sockaddr_in& x) {
  char room[INET_ADDRSTRLEN] = {};
  return ::inet_ntop(AF_INET, &x.sin_addr, room, sizeof room);
}

/// Tells everybody who connects by which address it sees them. Listens in
/// the network namespace of the thread that makes it.
class greeter {
public:
  greeter(const std::string& address, uint16_t port)
    : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const auto where = address_of(address, port);
    const int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&where),
                   sizeof where)
            == 0);
    REQUIRE(::listen(socket_.get(), 16) == 0);
    thread_ = std::thread{[this] { serve(); }};
  }
  ~greeter() {
    stops_ = true;
    thread_.join();
  }

private:
  void serve() {
    while (!stops_) {
      auto wait = pollfd{socket_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 50) <= 0)
        continue;
      sockaddr_in peer = {};
      socklen_t size = sizeof peer;
      const auto guest =
        unique_fd{::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer),
                            &size, SOCK_CLOEXEC)};
      const auto text = "seen as " + text_of(peer) + "\n";
      [[maybe_unused]] const auto told =
        ::write(guest.get(), text.data(), text.size());
    }
  }

  unique_fd socket_;
  std::atomic<bool> stops_ = false;
  std::thread thread_;
};

/// What somebody says who is connected to from here; empty: nobody.
std::string hear(const std::string& address, uint16_t port) {
  const auto socket =
    unique_fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const auto where = address_of(address, port);
  std::ignore = ::connect(
    socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where);
  std::string result;
  char room[256] = {};
  for (;;) {
    auto wait = pollfd{socket.get(), POLLIN, 0};
    if (::poll(&wait, 1, 3000) <= 0)
      return result;
    const auto got = ::read(socket.get(), room, sizeof room);
    if (got <= 0)
      return result;
    result.append(room, static_cast<std::size_t>(got));
  }
}

/// The machine's own network is not touched: this process moves out of it,
/// and its children with it. Behind a link there is another machine.
class far_network {
public:
  static std::string obstacle() { return isolation_obstacle(); }

  far_network() {
    REQUIRE(::unshare(CLONE_NEWNET) == 0);
    REQUIRE(set_up_link("lo"));
    REQUIRE(make_space(name_));
    REQUIRE(make_pair("wan0", "eth0", space_path(name_)));
    REQUIRE(set_up_link("wan0", host_side, 24));
    REQUIRE(run_in_space(name_, [this]() -> status {
      if (auto up = set_up_link("eth0", far_side, 24); !up)
        return up;
      open_ = std::make_unique<greeter>(far_side, open_port);
      closed_ = std::make_unique<greeter>(far_side, closed_port);
      return {};
    }));
    here_ = std::make_unique<greeter>(host_side, open_port);
  }
  ~far_network() {
    std::ignore = remove_link("wan0");
    std::ignore = remove_space(name_);
  }

private:
  std::string name_ = "fftest-" + std::to_string(::getpid());
  std::unique_ptr<greeter> open_;
  std::unique_ptr<greeter> closed_;
  std::unique_ptr<greeter> here_;
};

std::string with_network(const std::string& name, const std::string& mode,
                         const std::string& egress) {
  return agent_sandbox(name, "h1") + "    network:\n      mode: " + mode
         + "\n      egress: [" + egress + "]\n";
}

struct network_fleet : far_network, fleet_fixture {
  explicit network_fleet(const std::string& sandboxes)
    : fleet_fixture{{.sandboxes = sandboxes}} {}

  /// Its exit code and what it printed.
  std::pair<int, std::string> tool(std::vector<std::string> words) {
    words.insert(words.begin(), program_path("forkfleet"));
    words.insert(words.begin() + 1,
                 {"--coordinator", "127.0.0.1:" + std::to_string(port())});
    const auto log = log_of("tool" + std::to_string(++runs_));
    auto run = program_run{words, log};
    const int status = run.wait(180s);
    auto in = std::ifstream{log};
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            std::string{std::istreambuf_iterator<char>{in}, {}}};
  }
  void need(const std::vector<std::string>& words) {
    const auto [code, text] = tool(words);
    INFO(text);
    REQUIRE(code == 0);
  }
  /// What the guest hears from there; empty: it does not reach it.
  std::string heard_by(const std::string& guest, const std::string& address,
                       uint16_t port) {
    return tool({"exec", guest, "--", "sh", "-c",
                 "nc -w 3 " + address + " " + std::to_string(port)
                   + " </dev/null"})
      .second;
  }
  /// The guest answers on a port, once for each that comes.
  void serve(const std::string& guest, const std::string& text) {
    need({"exec", guest, "--", "sh", "-c",
          "pkill nc; (while :; do echo " + text
            + " | nc -l -p 7000; done) >/dev/null 2>&1 </dev/null &"});
  }
  std::string address(const std::string& id) {
    return sandbox(id).network.address;
  }
  std::size_t things() {
    const auto seen = look_at_networks(data_of("h1"));
    REQUIRE(seen);
    return seen->size();
  }

private:
  int runs_ = 0;
};

bool can_run() {
  if (agent_sandbox("box", "h1").empty())
    skip("no example guest with an agent; run ./dev guest");
  else if (const auto why = far_network::obstacle(); !why.empty())
    skip("no network namespaces: " + why);
  else
    return true;
  return false;
}

const auto seen_by_far = std::string{"seen as "} + host_side + "\n";

} // namespace

TEST_CASE("children keep their addresses and reach what is allowed",
          "[end_to_end][vm][network][safety]") {
  if (!can_run())
    return;
  network_fleet fleet{
    with_network("box", "namespace", "'192.0.2.2/32:8080', '10.213.0.0/16'")};
  fleet.start();
  fleet.need({"wait", "box", "--for", "ready", "--timeout", "120s"});

  INFO("the list is kept to, and what leaves has the host's address");
  CHECK(fleet.heard_by("box", far_side, open_port) == seen_by_far);
  CHECK(fleet.heard_by("box", far_side, closed_port) != seen_by_far);
  CHECK(fleet.heard_by("box", host_side, open_port).find("seen")
        == std::string::npos);

  fleet.need({"branch", "box", "--tag", "warm"});
  fleet.need(
    {"fork", "warm", "--count", "2", "--name", "kid", "--wait", "ready"});
  const auto names = std::vector<std::string>{"box", "kid-1", "kid-2"};
  std::set<std::string> addresses;
  for (const auto& name : names) {
    INFO(name);
    REQUIRE_FALSE(fleet.address(name).empty());
    addresses.insert(fleet.address(name));
    CHECK(fleet.heard_by(name, far_side, open_port) == seen_by_far);
    CHECK(fleet.heard_by(name, far_side, closed_port).find("seen")
          == std::string::npos);
    fleet.serve(name, name);
  }
  CHECK(addresses.size() == 3);
  for (const auto& name : names)
    CHECK(hear(fleet.address(name), 7000) == name + "\n");
  INFO("not even an address that is allowed leads to another sandbox");
  CHECK(fleet.heard_by("kid-1", fleet.address("kid-2"), 7000).find("kid-2")
        == std::string::npos);
  CHECK(fleet.things() == 7);

  INFO("a name that is given away takes its address along");
  const auto old = fleet.address("box");
  fleet.need({"promote", "kid-1"});
  CHECK(fleet.address("box") == old);
  CHECK(hear(old, 7000) == "kid-1\n");
  CHECK(fleet.heard_by("box", far_side, open_port) == seen_by_far);
  CHECK(fleet.things() == 5);

  INFO("a node that was killed finds it all again");
  fleet.kill_node("h1");
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  CHECK(fleet.address("box") == old);
  CHECK(hear(old, 7000) == "kid-1\n");
  CHECK(hear(fleet.address("kid-2"), 7000) == "kid-2\n");

  INFO("back in place, at the same address");
  fleet.need({"rollback", "box", "warm"});
  CHECK(fleet.address("box") == old);
  CHECK(fleet.heard_by("box", far_side, open_port) == seen_by_far);
  fleet.need({"fsck", "--young", "5s"});
  fleet.need({"stop", "box"});
  fleet.need({"stop", "kid-2"});
  CHECK(fleet.things() == 0);
}

TEST_CASE("networks of children whose node is killed are whole or gone",
          "[end_to_end][vm][network][kill][safety]") {
  if (!can_run())
    return;
  network_fleet fleet{with_network("box", "namespace", "'192.0.2.2'")};
  fleet.start();
  fleet.need({"wait", "box", "--for", "ready", "--timeout", "120s"});
  fleet.need({"branch", "box", "--tag", "warm"});
  auto fork = program_run{{program_path("forkfleet"), "--coordinator",
                           "127.0.0.1:" + std::to_string(fleet.port()), "fork",
                           "warm", "--count", "6", "--name", "kid",
                           "--in-flight", "6", "--wait", "started"},
                          fleet.log_of("fork")};
  // Namespaces and links of the first three are there, or in the making.
  REQUIRE(eventually([&] { return fleet.things() > 8; }));
  fleet.kill_node("h1");
  fork.end(SIGKILL);
  fleet.start_node("h1");
  REQUIRE(eventually([&] { return fleet.is_ready(); }));
  fleet.need({"fsck", "--young", "5s"});
  const auto all = fleet.ask<sandbox_list>(sandboxes_request{}, 10s);
  REQUIRE(all);
  std::size_t expected = 1;
  for (const auto& x : all->sandboxes) {
    INFO(x.id.value);
    expected += x.network.space.empty() ? 0 : 2;
    if (x.state != sandbox_state::running)
      continue;
    CHECK(fleet.heard_by(x.id.value, far_side, open_port) == seen_by_far);
  }
  CHECK(fleet.things() == expected);
  for (const auto& x : all->sandboxes)
    fleet.need({"stop", x.id.value});
  CHECK(fleet.things() == 0);
}

TEST_CASE("what a killed node leaves of networks is found and removed",
          "[end_to_end][vm][network][fsck][safety]") {
  if (!can_run())
    return;
  network_fleet fleet{with_network("box", "namespace", "")};
  fleet.start();
  CHECK(fleet.things() == 3);
  const auto before = fleet.sandbox("box");
  fleet.kill_node("h1");
  ::kill(static_cast<pid_t>(before.pid), SIGKILL);
  std::filesystem::remove_all(before.directory);
  const auto fsck = [&fleet](std::vector<std::string> more) {
    more.insert(more.begin(), {program_path("forkfleet-fsck"), "--data",
                               fleet.data_of("h1"), "--young", "0s"});
    const auto log = fleet.log_of("fsck");
    auto run = program_run{more, log};
    const int status = run.wait(60s);
    auto in = std::ifstream{log};
    INFO(std::string(std::istreambuf_iterator<char>{in}, {}));
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
  };
  CHECK(fsck({}) == 10);
  CHECK(fleet.things() == 3);
  fsck({"--repair"});
  CHECK(fleet.things() == 0);
  CHECK(fsck({}) == 0);
}

TEST_CASE("user mode reaches everything or nothing",
          "[end_to_end][vm][network][safety]") {
  if (!can_run())
    return;
  network_fleet fleet{with_network("shut", "user", "")
                      + with_network("open", "user", "'0.0.0.0/0'")};
  fleet.start();
  for (const auto* name : {"shut", "open"})
    fleet.need({"wait", name, "--for", "ready", "--timeout", "120s"});
  fleet.need({"branch", "open", "--tag", "warm"});
  fleet.need({"fork", "warm", "--name", "kid", "--wait", "ready"});
  CHECK(fleet.heard_by("open", far_side, closed_port) == seen_by_far);
  CHECK(fleet.heard_by("kid", far_side, closed_port) == seen_by_far);
  CHECK(fleet.heard_by("shut", far_side, open_port).find("seen")
        == std::string::npos);
  CHECK(fleet.address("open").empty());
  CHECK(fleet.things() == 0);
}
