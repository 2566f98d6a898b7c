// SPDX-License-Identifier: Apache-2.0
#include "actors/same_request.hpp"

#include <catch2/catch.hpp>

#include "actors/exec_protocol.hpp"
#include "actors/switch_protocol.hpp"
#include "tests/support/random_value.hpp"

using namespace forkfleet;

namespace {

/// Checks each field of `Request` alone: what is content makes a difference
/// under its own name, all else makes none.
template <class Request>
void check_each_field() {
  auto dice = std::mt19937_64{7};
  const auto base = test::random_value<Request>(dice);
  CHECK(differing_field(base, base).empty());
  schema::for_each_field<Request>([&](const auto& entry) {
    auto other = base;
    while (other.*(entry.member) == base.*(entry.member))
      other.*(entry.member) = test::random_value<Request>(dice).*(entry.member);
    CAPTURE(std::string{Request::about.name}, std::string{entry.name});
    const bool counts = is_content(entry.name, entry.settable);
    CHECK(differing_field(base, other)
          == (counts ? entry.name : std::string_view{}));
    CHECK((request_digest(base) != request_digest(other)) == counts);
  });
}

// Two kinds that differ in nothing but their names.
template <char Kind>
struct plain_request {
  operation_id operation = {};

  static constexpr char name[] = {Kind, '\0'};
  static constexpr schema::about about{name, "A request."};
  static constexpr auto fields() {
    return std::tuple{
      schema::field("operation", &plain_request::operation, "Its operation.")};
  }
};

} // namespace

TEST_CASE("no field of content is forgotten",
          "[actors][same_request][safety]") {
  check_each_field<branch_request>();
  check_each_field<restore_request>();
  check_each_field<rollback_request>();
  check_each_field<promote_request>();
  check_each_field<exec_request>();
}

TEST_CASE("labels, note and limits are content, deadline and subject are not",
          "[actors][same_request]") {
  const auto base = branch_request{.operation = {"op"}};
  auto other = base;
  other.deadline = milliseconds{5};
  other.epoch = 7;
  other.subject = "client:ann";
  CHECK(differing_field(base, other).empty());
  other.labels = {"a=b"};
  CHECK(differing_field(base, other) == "labels");
  other.labels = {};
  other.note = "other";
  CHECK(differing_field(base, other) == "note");
  auto child = restore_request{};
  child.limits.memory_bytes = 1;
  CHECK(differing_field(restore_request{}, child) == "limits");
}

TEST_CASE("two kinds of requests are never the same",
          "[actors][same_request][safety]") {
  CHECK(request_digest(promote_request{.operation = {"op"}})
        != request_digest(rollback_request{.operation = {"op"}}));
  CHECK(request_digest(plain_request<'a'>{})
        == request_digest(plain_request<'a'>{}));
  CHECK(request_digest(plain_request<'a'>{})
        != request_digest(plain_request<'b'>{}));
}
