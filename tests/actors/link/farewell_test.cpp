// SPDX-License-Identifier: Apache-2.0
#include "actors/link/farewell.hpp"

#include <catch2/catch.hpp>

#include "tests/support/frame_fixture.hpp"

using namespace forkfleet;
using test::accepted_fixture;

TEST_CASE("who is refused is told who it is and what to do about it",
          "[actors][farewell]") {
  const auto foreign = refusal_of(frame_fault::foreign_host, "node:h1");
  CHECK(foreign.code == ec::not_permitted);
  CHECK(foreign.message
        == "foreign_host: node:h1 speaks for its own host alone; start this "
           "program with the certificate of the host that it speaks for");
  CHECK(refusal_of(frame_fault::no_place, "client:a").code == ec::node_busy);
  CHECK(refusal_of(frame_fault::bad_header, "client:a").message
        == "a frame that may not pass: bad_header");
}

TEST_CASE("what a refused peer is told is of bounded length",
          "[actors][farewell][safety]") {
  const auto identity = std::string(100'000, 'x');
  for (const auto& x : enum_table(frame_fault{}))
    CHECK(refusal_of(x.value, identity).message.size() < 512);
}

TEST_CASE("a farewell answers the request that it refuses",
          "[actors][farewell]") {
  const auto asked = frame_header{.what = frame_operation::direct_message,
                                  .data = 7,
                                  .source = 3,
                                  .target = 9};
  const auto bytes =
    make_farewell(asked, refusal_of(frame_fault::foreign_host, "node:h1"));
  const auto head = frame_header::read(bytes);
  CHECK(head.is_answer());
  CHECK(head.request() == 7);
  CHECK(head.source == 9);
  CHECK(head.target == 3);
  CHECK(bytes.size() == frame_header::size + head.payload_size);
}

TEST_CASE("a request at fault is known, and nothing else is answered",
          "[actors][farewell][safety]") {
  accepted_fixture node{peer_role::node, "h1"};
  node.greet();
  SECTION("a request") {
    CHECK(node.send(test::hello("h2")) == frame_fault::foreign_host);
    CHECK(node.check.request_at_fault());
  }
  SECTION("a frame that is none") {
    CHECK(node.send(test::server_handshake(test::peer)) != frame_fault::none);
    CHECK_FALSE(node.check.request_at_fault());
  }
}

TEST_CASE("who dials answers no request that is at fault",
          "[actors][farewell][safety]") {
  test::dialled_fixture dialled;
  dialled.send(test::server_handshake(test::peer));
  CHECK(dialled.send(test::hello("h2")) != frame_fault::none);
  CHECK_FALSE(dialled.check.request_at_fault());
}
