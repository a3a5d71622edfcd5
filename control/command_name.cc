// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "control/command_name.hh"

namespace tollgate::control {

std::string_view command_name(ledger::CommandKind kind) {
  using ledger::CommandKind;
  switch (kind) {
    case CommandKind::create_account:
      return "add";
    case CommandKind::remove_account:
      return "remove";
    case CommandKind::set_account:
      return "set";
    case CommandKind::set_identities:
      return "set_identities";
    case CommandKind::top_up:
      return "topup";
    case CommandKind::adjust:
      return "adjust";
    case CommandKind::transfer:
      return "transfer";
    case CommandKind::drop_session:
      return "session_drop";
    case CommandKind::refund:
      return "refund";
    case CommandKind::set_payer:
      return "set_payer";
    case CommandKind::set_limit:
      return "limit";
    case CommandKind::product_turn:
      return "product_turn";
    case CommandKind::product_suspend:
      return "product_suspend";
    case CommandKind::product_resume:
      return "product_resume";
    case CommandKind::product_end:
      return "product_end";
    case CommandKind::transfer_receive:
      return "transfer_received";
    case CommandKind::transfer_settle:
      return "transfer_arrived";
    case CommandKind::transfer_return:
      return "transfer_returned";
    case CommandKind::transfer_forget:
      return "transfer_closed";
    case CommandKind::re_auth_session:
      return "session_reauth";
    case CommandKind::abort_session:
      return "session_abort";
    case CommandKind::none:
      break;
  }
  return "unknown";
}

}  // namespace tollgate::control
