// SPDX-License-Identifier: Apache-2.0
// Real links, rules and namespaces, all within a namespace that the test
// made.
#include "node/network/sandbox_networks.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <thread>

#include <catch2/catch.hpp>

#include "node/network/net_links.hpp"
#include "node/network/net_space.hpp"
#include "node/network/nf_tables.hpp"
#include "node/network/rule_loader.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/skip.hpp"
#include "tests/support/without_nf_tables.hpp"

using namespace forkfleet;

namespace {

struct networks_fixture {
  test::scratch_directory scratch{};
  const std::string& data = scratch.path();
  ipv4_network range = parse_network("10.99.0.0/24").value();

  /// A test that failed leaves no name.
  ~networks_fixture() {
    const auto seen = look_at_networks(data);
    for (const auto& x : seen.value_or(std::vector<network_thing>{}))
      static_cast<void>(remove_space(x.space).has_value());
  }

  static bool can_run() {
    const auto why = isolation_obstacle();
    if (!why.empty())
      test::skip("no network namespaces: " + why);
    return why.empty();
  }

  /// As on a host of its own.
  static void on_host(const std::function<void()>& work) {
    std::exception_ptr thrown;
    const auto ran = run_in_fresh_space([&]() -> status {
      try {
        REQUIRE(set_up_link("lo"));
        work();
      } catch (...) {
        thrown = std::current_exception();
      }
      return {};
    });
    if (thrown)
      std::rethrow_exception(thrown);
    REQUIRE(ran);
  }

  std::size_t things() const {
    const auto seen = look_at_networks(data);
    REQUIRE(seen);
    return seen->size();
  }

  static std::vector<std::string> addresses_of(const std::string& link) {
    std::vector<std::string> result;
    const auto all = link_addresses();
    REQUIRE(all);
    for (const auto& x : *all)
      if (x.link == link)
        result.push_back(x.address);
    return result;
  }

  /// All that a sandbox needs is there, and once.
  static void check_made(const sandbox_network& x) {
    CHECK(addresses_of(x.space) == std::vector{x.host_address});
    REQUIRE(has_space(x.space));
    const auto within = run_in_space(x.space, [&x]() -> status {
      CHECK(addresses_of("tap0") == std::vector<std::string>{"169.254.77.1"});
      CHECK(addresses_of("eth0") == std::vector{x.address});
      CHECK(rule_tables().value() == std::vector<std::string>{"forkfleet"});
      return {};
    });
    CHECK(within);
  }
};

const config::network_section wanted{.mode = network_mode::isolated,
                                     .egress = {"192.0.2.0/24:443"}};

} // namespace

TEST_CASE_METHOD(networks_fixture, "a network is made once and removed whole",
                 "[node][network][safety]") {
  if (!can_run())
    return;
  on_host([this] {
    sandbox_networks networks{range, data, {}};
    const auto a = networks.plan(wanted, {"a"});
    const auto b = networks.plan(wanted, {"b"});
    REQUIRE(a);
    REQUIRE(b);
    CHECK(things() == 0);
    CHECK(a->address != b->address);
    CHECK(a->space != b->space);
    for (int i = 0; i < 2; ++i) {
      REQUIRE(networks.make(*a));
      REQUIRE(networks.make(*b));
    }
    check_made(*a);
    check_made(*b);
    CHECK(things() == 5); // two namespaces, two links, the host's table
    REQUIRE(networks.remove(*a));
    CHECK(things() == 3);
    check_made(*b);
    REQUIRE(networks.remove(*b));
    REQUIRE(networks.remove(*b));
    CHECK(things() == 0);
  });
}

TEST_CASE_METHOD(networks_fixture, "what was cut short is completed",
                 "[node][network][safety]") {
  if (!can_run())
    return;
  using harm_done = std::function<status(const sandbox_network&)>;
  const auto harm = GENERATE(values<harm_done>({
    [](const auto& x) { return remove_link(x.space); },
    [](const auto& x) { return remove_space(x.space); },
    [](const auto& x) {
      return run_in_space(x.space, [] { return remove_link("tap0"); });
    },
    [](const auto& x) {
      return run_in_space(x.space,
                          [] { return load_rules("flush ruleset\n"); });
    },
  }));
  on_host([this, &harm] {
    sandbox_networks networks{range, data, {}};
    const auto x = networks.plan(wanted, {"a"}).value();
    REQUIRE(networks.make(x));
    REQUIRE(harm(x));
    // Another life of the node finds the record alone.
    sandbox_networks next{range, data, {}};
    next.claim(x);
    REQUIRE(next.make(x));
    check_made(x);
    CHECK(next.plan(wanted, {"b"}).value().address != x.address);
    REQUIRE(next.remove(x));
  });
}

TEST_CASE_METHOD(networks_fixture, "an address moves with a name",
                 "[node][network]") {
  if (!can_run())
    return;
  on_host([this] {
    sandbox_networks networks{range, data, {}};
    const auto old = networks.plan(wanted, {"source"}).value();
    auto child = networks.plan(wanted, {"child"}).value();
    REQUIRE(networks.make(old));
    REQUIRE(networks.make(child));
    child.address = old.address;
    child.host_address = old.host_address;
    REQUIRE(networks.remove(old));
    REQUIRE(networks.make(child));
    check_made(child);
    CHECK(networks.plan(wanted, {"next"}).value().address != old.address);
    REQUIRE(networks.remove(child));
  });
}

TEST_CASE_METHOD(networks_fixture,
                 "addresses that are somebody else's are left",
                 "[node][network][safety]") {
  if (!can_run())
    return;
  on_host([this] {
    sandbox_networks one{range, data, {}};
    const auto x = one.plan(wanted, {"a"}).value();
    REQUIRE(one.make(x));
    test::scratch_directory elsewhere{};
    sandbox_networks other{range, elsewhere.path(), {}};
    CHECK(other.plan(wanted, {"a"}).value().address != x.address);

    INFO("a link of this host has an address of the range");
    REQUIRE(make_tap("lan0"));
    REQUIRE(set_up_link("lan0", "10.99.0.200", 24));
    const auto refused = other.plan(wanted, {"b"});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("lan0") != std::string::npos);
    CHECK(refused.error().message.find("network_range") != std::string::npos);
    REQUIRE(one.remove(x));
  });
}

TEST_CASE_METHOD(networks_fixture, "a repair removes the very thing",
                 "[node][network][safety]") {
  if (!can_run())
    return;
  on_host([this] {
    sandbox_networks networks{range, data, {}};
    const auto x = networks.plan(wanted, {"a"}).value();
    REQUIRE(networks.make(x));
    const auto seen = look_at_networks(data).value();
    REQUIRE(networks.remove(x));
    REQUIRE(networks.make(x));
    int others = 0;
    for (const auto& thing : seen)
      if (!thing.space.empty() && look_for(thing) == presence::absent) {
        ++others;
        CHECK_FALSE(remove_network_thing(thing.where, thing.identity));
      }
    CHECK(others == 2);
    check_made(x);
    const auto now = look_at_networks(data).value();
    for (const auto& thing : now)
      CHECK(remove_network_thing(thing.where, thing.identity));
    CHECK(things() == 0);
  });
}

TEST_CASE_METHOD(networks_fixture,
                 "a later namespace of the name is another one",
                 "[node][network][safety]") {
  if (!can_run())
    return;
  // The kernel gives the number of one that has ended to the next.
  const std::string name = network_prefix(data) + "again";
  std::vector<file_identity> seen;
  for (int i = 0; i < 10; ++i) {
    REQUIRE(make_space(name));
    const auto now = identify(space_path(name)).value().value();
    CHECK(identify(space_path(name)).value() == now);
    CHECK(std::ranges::count(seen, now) == 0);
    seen.push_back(now);
    REQUIRE(remove_space(name));
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

TEST_CASE_METHOD(networks_fixture, "without the right it is said and not done",
                 "[node][network]") {
  sandbox_networks networks{range, data, "no CAP_NET_ADMIN"};
  const auto refused = networks.plan(wanted, {"a"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ec::unsupported);
  auto either = wanted;
  either.mode = network_mode::automatic;
  const auto user = networks.plan(either, {"a"});
  REQUIRE(user);
  CHECK(user->mode == network_mode::user);
  CHECK(user->note.find("no CAP_NET_ADMIN") != std::string::npos);
  CHECK(user->note.find("nothing may") != std::string::npos);
  CHECK(user->space.empty());
  run_contract contract;
  contract.arguments = {"network=namespace", "egress=192.0.2.1"};
  CHECK_FALSE(networks.plan_child(contract, {"b"}));
  contract.arguments = {"network=user"};
  CHECK(networks.plan_child(contract, {"b"})->mode == network_mode::user);
  CHECK(networks.describe().find("no CAP_NET_ADMIN") != std::string::npos);
}

TEST_CASE_METHOD(networks_fixture,
                 "without nf_tables there is a reason, and no end of us",
                 "[node][network][safety]") {
  test::without_nf_tables([this] {
    CHECK_THAT(isolation_obstacle(), Catch::Contains("nf_tables"));
    const auto found = find_nf_tables();
    REQUIRE_FALSE(found);
    CHECK(found.error().code == ec::unsupported);
    const auto tables = rule_tables();
    REQUIRE_FALSE(tables);
    CHECK(tables.error().code == ec::unsupported);
    // There is nothing of ours, and that is known.
    CHECK(things() == 0);
    const auto networks =
      sandbox_networks{range, data, "the kernel has no nf_tables"};
    CHECK(networks.describe() == "user: the kernel has no nf_tables");
  });
}
