// SPDX-License-Identifier: Apache-2.0
// Who may say what in frames that are sound.
#include <catch2/catch.hpp>

#include "tests/support/frame_fixture.hpp"

using namespace forkfleet;
using test::accepted_fixture;
using test::answer;
using test::dialled_fixture;
using test::direct;
using test::fault_for;
using test::goodbye;
using test::hello;
using test::normal;
using test::number;
using test::other;
using test::own;
using test::own_actor;
using test::packed_length;
using test::packed_text;
using test::peer;
using test::told;

TEST_CASE("each peer may ask what its role has to ask, and nothing else",
          "[actors][frame_check][safety]") {
  const auto query = test::sound_request();
  using enum peer_role;
  CHECK(fault_for(client, query) == frame_fault::none);
  CHECK(fault_for(client, goodbye("h1")) == frame_fault::forbidden_content);
  CHECK(fault_for(client, hello("h1")) == frame_fault::forbidden_content);
  CHECK(fault_for(node, query) == frame_fault::forbidden_content);
  CHECK(fault_for(node, hello("h1")) == frame_fault::none);
  CHECK(fault_for(node, goodbye("h1")) == frame_fault::none);
  CHECK(fault_for(local, query) == frame_fault::none);
  CHECK(fault_for(local, hello("h1")) == frame_fault::none);
}

TEST_CASE("an answer passes once, to whom asked, and as what was asked for",
          "[actors][frame_check][safety]") {
  auto one = accepted_fixture{peer_role::node, "h1"};
  const auto refusal = direct("+@error", test::packed_error(3));
  one.greet();
  one.out.clear();
  one.ask_peer(7);
  auto other_actor = answer(7, refusal);
  other_actor.target = own_actor + 1;
  for (const auto& x : {answer(8, refusal), other_actor,
                        answer(8, direct("+forkfleet::done", ""))})
    CHECK(one.send(x) == frame_fault::none);
  CHECK(one.out.empty());
  CHECK(one.check.answers_refused() == 3);
  CHECK(one.send(answer(7, refusal)) == frame_fault::none);
  CHECK(one.out.size() == answer(7, refusal).bytes().size());
  CHECK(one.send(answer(7, refusal)) == frame_fault::none);
  CHECK(one.check.answers_refused() == 4);
  one.ask_peer(9);
  CHECK(one.send(answer(9, direct("+forkfleet::done", packed_text(""))))
        == frame_fault::forbidden_content);
}

TEST_CASE("a tool answers nothing", "[actors][frame_check][safety]") {
  auto one = accepted_fixture{peer_role::client};
  one.greet();
  one.ask_peer(7);
  CHECK(one.send(answer(7, direct("+@error", test::packed_error(3))))
        == frame_fault::answer_of_tool);
}

TEST_CASE("a node speaks for its own host alone, in whatever it tells",
          "[actors][frame_check][safety]") {
  using enum peer_role;
  const auto blank = std::string{"\0", 1};
  const auto page = [&](const std::string& host, const std::string& within) {
    // No flags, one sandbox of the shortest form, no other lists.
    return told("inventory_page",
                packed_text(host) + number(1, 8) + number(0, 2)
                  + packed_length(0) + packed_length(0) + packed_length(0)
                  + packed_length(0) + packed_length(0) + within);
  };
  const auto events = [&](const std::string& host, const std::string& within) {
    return told("node_events", packed_text(host) + number(1, 8)
                                 + packed_length(1) + number(0, 16) + blank
                                 + packed_text(within) + blank + blank + blank
                                 + blank + number(0, 8) + blank);
  };
  CHECK(fault_for(node, page("h1", "")) == frame_fault::none);
  CHECK(fault_for(node, events("h1", "h1")) == frame_fault::none);
  CHECK(fault_for(node, events("h1", "")) == frame_fault::none);
  CHECK(fault_for(node, events("h1", "h2")) == frame_fault::foreign_host);
  CHECK(fault_for(node, events("", "")) == frame_fault::foreign_host);
  CHECK(fault_for(node, page("h2", "")) == frame_fault::foreign_host);
  CHECK(fault_for(node, hello("h2")) == frame_fault::foreign_host);
  CHECK(fault_for(node, goodbye("h2")) == frame_fault::foreign_host);
}

TEST_CASE_METHOD(accepted_fixture,
                 "a program of this machine is the host of its hello",
                 "[actors][frame_check][safety]") {
  greet();
  CHECK(send(hello("h1")) == frame_fault::none);
  auto later = goodbye("h1");
  later.data += 1;
  CHECK(send(later) == frame_fault::none);
  later = hello("h2");
  later.data += 2;
  CHECK(send(later) == frame_fault::foreign_host);
}

TEST_CASE_METHOD(accepted_fixture, "who has said no hello tells nothing",
                 "[actors][frame_check][safety]") {
  CHECK(greet_and_send(goodbye("h1")) == frame_fault::foreign_host);
}

TEST_CASE("an answer speaks for the node's own host alone",
          "[actors][frame_check][safety]") {
  auto one = accepted_fixture{peer_role::node, "h1"};
  one.greet();
  const auto* asked = find_question("+forkfleet::verify_request");
  const auto report = [](const std::string& host) {
    return direct("+forkfleet::verify_report",
                  packed_text("t") + packed_text(host) + number(0, 1)
                    + packed_text("") + number(0, 24));
  };
  one.with.note_asked(own_actor, normal | 1, *asked);
  CHECK(one.send(answer(1, report("h1"))) == frame_fault::none);
  one.with.note_asked(own_actor, normal | 2, *asked);
  CHECK(one.send(answer(2, report("h2"))) == frame_fault::foreign_host);
}

TEST_CASE_METHOD(accepted_fixture, "only who is offered takes requests",
                 "[actors][frame_check][safety]") {
  auto stray = test::sound_request();
  stray.target = test::some_actor + 1;
  CHECK(greet_and_send(stray) == frame_fault::wrong_receiver);
}

TEST_CASE_METHOD(accepted_fixture, "what cannot be answered is no request",
                 "[actors][frame_check][safety]") {
  auto stray = test::sound_request();
  if (GENERATE(false, true))
    stray.source = 0;
  else
    stray.data = normal;
  CHECK(greet_and_send(stray) == frame_fault::no_request);
}

TEST_CASE_METHOD(accepted_fixture, "a request does not stand twice",
                 "[actors][frame_check][safety]") {
  greet();
  CHECK(send(test::sound_request()) == frame_fault::none);
  CHECK(send(test::sound_request()) == frame_fault::repeated_request);
}

TEST_CASE_METHOD(accepted_fixture, "requests beyond the credit are refused",
                 "[actors][frame_check][safety]") {
  greet();
  auto x = test::sound_request();
  for (auto i = 0U; i < 64; ++i, ++x.data)
    REQUIRE(send(x) == frame_fault::none);
  out.clear();
  CHECK(send(x) == frame_fault::none);
  CHECK(out.empty());
  const auto refused = check.take_refusals();
  REQUIRE(refused.size() == 1);
  CHECK(refused.front().request.data == x.data);
  // Answered is not enough: it must have been read, too.
  with.note_answered(x.source, test::sound_request().data);
  CHECK(send(x) == frame_fault::none);
  CHECK(check.take_refusals().size() == 1);
  with.note_read(1);
  CHECK(send(x) == frame_fault::none);
  CHECK(check.take_refusals().empty());
}

TEST_CASE_METHOD(accepted_fixture, "what a node tells comes first",
                 "[actors][frame_check]") {
  greet();
  out.clear();
  REQUIRE(send(hello("h1")) == frame_fault::none);
  const auto head = frame_header::read({out.data(), out.size()});
  CHECK((head.data & message_bits::is_normal) == 0);
  CHECK(head.request() == 1);
}

TEST_CASE_METHOD(accepted_fixture, "the end of an actor is told of once",
                 "[actors][frame_check][safety]") {
  greet();
  out.clear();
  auto x = test::monitor(peer, own);
  x.target = test::some_actor + 5;
  CHECK(send(x) == frame_fault::none);
  CHECK(out.empty());
  CHECK(send(test::monitor(peer, own)) == frame_fault::none);
  const auto once = out.size();
  CHECK(once > 0);
  CHECK(send(test::monitor(peer, own)) == frame_fault::none);
  CHECK(out.size() == once);
}

TEST_CASE("a program has a bounded number of actors",
          "[actors][frame_check][safety]") {
  auto with =
    exchange{peer_role::client, {}, {.questions_max = 9, .actors_max = 3}};
  auto check = frame_check{frame_check::side::accepted, own, with};
  auto out = std::vector<char>{};
  with.open_to_peer(test::some_actor);
  check.feed(test::client_handshake(peer).bytes(), out);
  auto x = test::sound_request();
  for (x.source = 1; x.source <= 3; ++x.source)
    CHECK(check.feed(x.bytes(), out) == frame_fault::none);
  CHECK(check.feed(x.bytes(), out) == frame_fault::too_many_actors);
}
