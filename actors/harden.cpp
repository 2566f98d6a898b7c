// SPDX-License-Identifier: Apache-2.0
#include "actors/harden.hpp"

#include <exception>
#include <string>

#include <caf/error.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message_view.hpp>
#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/system_messages.hpp>

#include "actors/log.hpp"
#include "actors/wire.hpp"

namespace forkfleet {

namespace {

std::string text_of(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& x) {
    return x.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

caf::result<caf::message> on_unexpected(caf::scheduled_actor* self,
                                        caf::message_view&) {
  // Its content is not printed: a peer could fill our log with it.
  log::warn("message.refused", {{"actor", self->name()}});
  return to_caf_error(ec::invalid_request,
                      std::string{self->name()} + " does not understand this");
}

void on_exit(caf::scheduled_actor* self, caf::exit_msg& x) {
  if (x.reason == caf::exit_reason::user_shutdown
      || x.reason == caf::exit_reason::kill)
    self->quit(x.reason);
  else if (x.reason)
    log::warn("exit.ignored",
              {{"actor", self->name()}, {"reason", from_caf_error(x.reason)}});
}

caf::error on_exception(caf::scheduled_actor* self, std::exception_ptr& what) {
  auto text = std::string{self->name()} + " failed: " + text_of(what);
  log::error("actor.failed", {{"actor", self->name()}, {"reason", text}});
  return to_caf_error(ec::interrupted, std::move(text));
}

} // namespace

void harden(caf::scheduled_actor* self) {
  self->set_default_handler(on_unexpected);
  self->set_error_handler([self](caf::error& x) {
    log::warn("error.ignored",
              {{"actor", self->name()}, {"reason", from_caf_error(x)}});
  });
  self->set_exit_handler([self](caf::exit_msg& x) { on_exit(self, x); });
  self->set_exception_handler(
    [self](std::exception_ptr& what) { return on_exception(self, what); });
}

} // namespace forkfleet
