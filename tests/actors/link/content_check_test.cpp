// SPDX-License-Identifier: Apache-2.0
#include "actors/link/content_check.hpp"

#include <catch2/catch.hpp>

#include "actors/interfaces.hpp"

using namespace forkfleet;

namespace {

template <class T>
std::string type_name() {
  if constexpr (schema::described<T>)
    return "+forkfleet::" + std::string{T::about.name};
  else
    return "+forkfleet::node_actor";
}

struct pair_of_types {
  std::string asked;
  std::string answered;
};

template <class... Asked, class... Answered>
pair_of_types pair_of(caf::typed_mpi<caf::detail::type_list<Asked...>,
                                     caf::output_tuple<Answered...>>) {
  return {(std::string{} + ... + type_name<Asked>()),
          (std::string{} + ... + type_name<Answered>())};
}

template <class... Signatures>
std::vector<pair_of_types> pairs_of(caf::detail::type_list<Signatures...>) {
  return {pair_of(Signatures{})...};
}

} // namespace

TEST_CASE("the guard knows each question of the actors, and its only answer",
          "[actors][content_check][safety]") {
  const auto of_coordinator = pairs_of(coordinator_actor::signatures{});
  const auto of_node = pairs_of(node_actor::signatures{});
  CHECK(all_questions().size() == of_coordinator.size() + of_node.size());
  for (const auto& x : of_coordinator) {
    CAPTURE(x.asked);
    const auto* known = find_question(x.asked, peer_role::local);
    REQUIRE(known != nullptr);
    CHECK(known->answer_types == x.answered);
  }
  for (const auto& x : of_node) {
    CAPTURE(x.asked);
    const auto* known = find_question(x.asked, peer_role::coordinator);
    REQUIRE(known != nullptr);
    CHECK(known->answer_types == x.answered);
  }
}

TEST_CASE("tools and nodes ask for what is theirs",
          "[actors][content_check][safety]") {
  for (const auto& x : all_questions()) {
    CAPTURE(x.types);
    const auto tool = find_question(x.types, peer_role::client);
    const auto node = find_question(x.types, peer_role::node);
    CHECK((tool == nullptr || node == nullptr));
    if (x.kind == question_kind::of_node)
      CHECK(node != nullptr);
  }
}
