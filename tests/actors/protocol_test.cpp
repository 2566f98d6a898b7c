// SPDX-License-Identifier: Apache-2.0
#include <caf/actor_system.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/exit_reason.hpp>
#include <caf/scoped_execution_unit.hpp>
#include <caf/sec.hpp>
#include <catch2/catch.hpp>

#include "actors/interfaces.hpp"
#include "actors/link/wire_shape.hpp"
#include "actors/schema/wire_size.hpp"
#include "actors/system_config.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;

namespace {

template <class T>
struct named {
  using type = T;
  std::string_view name;
};

// clang-format off
const std::tuple messages{
  named<branch_request>{"branch_request"},
  named<branch_report>{"branch_report"},
  named<operation_query>{"operation_query"},
  named<operation_status>{"operation_status"},
  named<restore_request>{"restore_request"},
  named<restore_report>{"restore_report"},
  named<stop_request>{"stop_request"},
  named<remove_request>{"remove_request"},
  named<done>{"done"},
  named<nodes_request>{"nodes_request"},
  named<node_list>{"node_list"},
  named<sandboxes_request>{"sandboxes_request"},
  named<sandbox_list>{"sandbox_list"},
  named<snapshots_request>{"snapshots_request"},
  named<snapshot_list>{"snapshot_list"},
  named<events_request>{"events_request"},
  named<event_list>{"event_list"},
  named<node_hello>{"node_hello"},
  named<node_welcome>{"node_welcome"},
  named<inventory_page>{"inventory_page"},
  named<node_heartbeat>{"node_heartbeat"},
  named<heartbeat_ack>{"heartbeat_ack"},
  named<node_events>{"node_events"},
  named<node_goodbye>{"node_goodbye"},
};

// Those that came after the NODE's handle.
const std::tuple later_messages{
  named<cancel_request>{"cancel_request"},
  named<flatten_request>{"flatten_request"},
  named<verify_request>{"verify_request"},
  named<verify_report>{"verify_report"},
  named<export_request>{"export_request"},
  named<import_request>{"import_request"},
  named<archive_report>{"archive_report"},
  named<annotate_request>{"annotate_request"},
  named<inspect_request>{"inspect_request"},
  named<inspect_report>{"inspect_report"},
  named<compare_request>{"compare_request"},
  named<compare_report>{"compare_report"},
  named<exec_request>{"exec_request"},
  named<exec_report>{"exec_report"},
  named<file_request>{"file_request"},
  named<file_report>{"file_report"},
  named<console_request>{"console_request"},
  named<console_report>{"console_report"},
  named<fsck_request>{"fsck_request"},
  named<fsck_report>{"fsck_report"},
  named<rollback_request>{"rollback_request"},
  named<promote_request>{"promote_request"},
};
// clang-format on

template <class Visitor>
void for_each_message(Visitor visit) {
  const auto all = std::tuple_cat(messages, later_messages);
  std::apply([&](const auto&... x) { (visit(x), ...); }, all);
}

struct wire_fixture {
  system_config config{{.network = false}};
  caf::actor_system sys{config};
  caf::scoped_execution_unit context{&sys};
  std::mt19937_64 dice{42};

  template <class T>
  std::vector<char> save(T& x) {
    auto bytes = std::vector<char>{};
    auto sink = caf::binary_serializer{&context, bytes};
    CHECK_FALSE(sink(x));
    return bytes;
  }

  template <class T>
  T load(const std::vector<char>& bytes) {
    auto x = T{};
    auto source = caf::binary_deserializer{&context, bytes};
    CHECK_FALSE(source(x));
    return x;
  }
};

} // namespace

TEST_CASE_METHOD(wire_fixture,
                 "what a message takes is known before it is sent",
                 "[actors][protocol][safety]") {
  for_each_message([this](auto entry) {
    using message = typename decltype(entry)::type;
    CAPTURE(entry.name);
    for (auto i = 0; i < 20; ++i) {
      auto x = test::random_value<message>(dice);
      CHECK(save(x).size() == schema::wire_size(x));
    }
  });
}

TEST_CASE_METHOD(wire_fixture, "every message crosses the wire unchanged",
                 "[actors][protocol]") {
  for_each_message([this](auto entry) {
    using message = typename decltype(entry)::type;
    CAPTURE(entry.name);
    for (auto i = 0; i < 20; ++i) {
      auto x = test::random_value<message>(dice);
      CHECK(load<message>(save(x)) == x);
    }
  });
}

TEST_CASE_METHOD(wire_fixture,
                 "the guard sees each message's end where CAF wrote it",
                 "[actors][protocol][safety]") {
  for_each_message([this](auto entry) {
    using message = typename decltype(entry)::type;
    CAPTURE(entry.name);
    for (auto i = 0; i < 20; ++i) {
      auto x = test::random_value<message>(dice);
      const auto bytes = save(x);
      auto whole = wire_reader{{bytes.data(), bytes.size()}};
      CHECK((walk<message>(whole) && whole.at_end()));
      auto cut = wire_reader{{bytes.data(), bytes.size() - 1}};
      CHECK_FALSE(walk<message>(cut));
    }
  });
}

TEST_CASE_METHOD(wire_fixture, "a failure crosses the wire with its subject",
                 "[actors][wire]") {
  auto sent = to_caf_error(ec::disk_full, "/data: 3 bytes");
  const auto got = from_caf_error(load<caf::error>(save(sent)));
  CHECK(got == failure{ec::disk_full, "/data: 3 bytes"});
  CHECK_FALSE(from_caf_error(caf::error{}));
}

TEST_CASE("what CAF could not deliver is unknown to us",
          "[actors][wire][safety]") {
  const auto code_of = [](caf::error x) { return from_caf_error(x).code; };
  CHECK(code_of(caf::sec::request_timeout) == ec::deadline_exceeded);
  CHECK(code_of(caf::sec::request_receiver_down) == ec::node_down);
  CHECK(code_of(caf::sec::unexpected_message) == ec::node_down);
  CHECK(code_of(caf::exit_reason::remote_link_unreachable) == ec::node_down);
}

TEST_CASE("type numbers never move", "[actors][protocol][safety]") {
  constexpr auto handle = caf::first_custom_type_id + 24;
  auto next = caf::first_custom_type_id;
  for_each_message([&next](auto entry) {
    using message = typename decltype(entry)::type;
    CAPTURE(entry.name);
    if (next == handle)
      ++next;
    CHECK(caf::type_id<message>::value == next++);
    CHECK(caf::type_name<message>::value
          == "forkfleet::" + std::string{entry.name});
    CHECK(message::about.name == entry.name);
  });
  CHECK(caf::type_id<node_actor>::value == handle);
  CHECK(next == caf::first_custom_type_id + 47);
  CHECK(caf::first_custom_type_id == 200);
}
