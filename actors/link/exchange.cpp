// SPDX-License-Identifier: Apache-2.0
#include "actors/link/exchange.hpp"

#include <algorithm>
#include <utility>

namespace forkfleet {

namespace {

// More than the coordinator's operations and errands together.
constexpr std::size_t asked_max = 16384;
// A request lives for an hour at most, and a little for the way.
constexpr std::chrono::minutes patience{65};
constexpr std::size_t open_actors_max = 16;
constexpr std::size_t shown_max = 8192;

} // namespace

exchange::exchange(peer_role peer, std::string host, exchange_bounds bounds)
  : peer_(peer), host_(std::move(host)), bounds_(bounds),
    ours_(asked_max, patience), theirs_(bounds.questions_max, patience) {
  // nop
}

void exchange::enter(std::shared_ptr<identity_quota> quota, bool must_be_node) {
  quota_ = std::move(quota);
  must_be_node_ = must_be_node;
}

exchange::~exchange() {
  if (!quota_)
    return;
  quota_->questions -= counted_questions_;
  quota_->waits -= counted_waits_;
}

void exchange::count() {
  if (!quota_)
    return;
  quota_->questions += questions() - counted_questions_;
  quota_->waits += waits() - counted_waits_;
  counted_questions_ = questions();
  counted_waits_ = waits();
}

void exchange::set_time(time_point now) {
  now_ = now;
  ours_.expire(now);
  if (theirs_.expire(now) > 0)
    count();
}

void exchange::open_to_peer(uint64_t actor) {
  if (asked_of_us_.size() < open_actors_max)
    asked_of_us_.insert(actor);
  show(actor);
}

void exchange::show(uint64_t actor) {
  if (actor == 0 || !shown_.insert(actor).second)
    return;
  shown_in_order_.push_back(actor);
  if (shown_in_order_.size() <= shown_max)
    return;
  shown_.erase(shown_in_order_.front());
  monitored_.erase(shown_in_order_.front());
  shown_in_order_.pop_front();
}

void exchange::hide(uint64_t actor) {
  asked_of_us_.erase(actor);
  monitored_.erase(actor);
  if (shown_.erase(actor) > 0)
    std::erase(shown_in_order_, actor);
}

void exchange::note_asked(uint64_t actor, uint64_t data, const question& what) {
  ours_.add(actor, data, what, now_);
}

uint64_t exchange::note_answered(uint64_t actor, uint64_t data) {
  const auto was = theirs_.take(actor, data);
  if (!was)
    return 0;
  ++unread_;
  count();
  return was->data;
}

void exchange::note_read(std::size_t answers) {
  unread_ -= std::min(unread_, answers);
  count();
}

bool exchange::may_be_asked(uint64_t actor) const {
  return asked_of_us_.contains(actor);
}

const question* exchange::find_asked(uint64_t actor, uint64_t data) const {
  const auto* found = ours_.find(actor, data);
  return found == nullptr ? nullptr : found->what;
}

void exchange::take_asked(uint64_t actor, uint64_t data) {
  ours_.take(actor, data);
}

exchange::admission exchange::take_question(uint64_t actor, uint64_t data,
                                            const question& what) {
  if (theirs_.find(actor, data) != nullptr)
    return admission::repeated;
  if (questions() >= bounds_.questions_max
      || (quota_ && quota_->questions >= quota_->questions_max))
    return admission::too_many;
  if (what.waits_for_events
      && (waits() >= bounds_.followers_max
          || (quota_ && quota_->waits >= quota_->waits_max)))
    return admission::too_many_waits;
  theirs_.add(actor, data, what, now_);
  count();
  return admission::taken;
}

bool exchange::take_actor(uint64_t actor) {
  if (actor == 0 || their_actors_.contains(actor))
    return true;
  if (their_actors_.size() >= bounds_.actors_max)
    return false;
  their_actors_.insert(actor);
  return true;
}

void exchange::drop_actor(uint64_t actor) {
  their_actors_.erase(actor);
}

bool exchange::take_monitor(uint64_t actor) {
  return shown_.contains(actor) && monitored_.insert(actor).second;
}

std::size_t exchange::questions() const {
  return theirs_.size() + unread_;
}

} // namespace forkfleet
