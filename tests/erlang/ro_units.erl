%% SPDX-License-Identifier: Apache-2.0
%% Copyright the Tollgate authors
%%
%% Between the units of a step table and the records of the dictionary.
-module(ro_units).
-export([requested/1, used/1, granted/1, final/1, unknown/1]).

-include("ro.hrl").

%% The optional members of a record are lists, empty when absent.
requested(Step) ->
    case maps:find(ask, Step) of
        error -> [];
        {ok, Text} -> [fill(#'ro_Requested-Service-Unit'{}, ro_steps:unit(Text))]
    end.

used(Step) ->
    case maps:find(used, Step) of
        error -> [];
        {ok, Text} -> [fill_used(ro_steps:unit(Text))]
    end.

fill(Unit, any) -> Unit;
fill(Unit, {octets, N}) -> Unit#'ro_Requested-Service-Unit'{'CC-Total-Octets' = [N]};
fill(Unit, {time, N}) -> Unit#'ro_Requested-Service-Unit'{'CC-Time' = [N]};
fill(Unit, {units, N}) -> Unit#'ro_Requested-Service-Unit'{'CC-Service-Specific-Units' = [N]}.

fill_used({octets, N}) -> #'ro_Used-Service-Unit'{'CC-Total-Octets' = [N]};
fill_used({time, N}) -> #'ro_Used-Service-Unit'{'CC-Time' = [N]};
fill_used({units, N}) -> #'ro_Used-Service-Unit'{'CC-Service-Specific-Units' = [N]}.

%% The grant as the table writes it.
granted([]) -> <<"none">>;
granted([#'ro_Granted-Service-Unit'{'CC-Total-Octets' = [N]}]) -> text("octets", N);
granted([#'ro_Granted-Service-Unit'{'CC-Time' = [N]}]) -> text("time", N);
granted([#'ro_Granted-Service-Unit'{'CC-Service-Specific-Units' = [N]}]) -> text("units", N);
granted([#'ro_Granted-Service-Unit'{}]) -> <<"other">>.

text(Kind, N) -> iolist_to_binary([Kind, ":", integer_to_list(N)]).

final([]) -> <<"no">>;
final([#'ro_Final-Unit-Indication'{'Final-Unit-Action' = 0}]) -> <<"terminate">>;
final([#'ro_Final-Unit-Indication'{'Final-Unit-Action' = 1}]) -> <<"redirect">>;
final([#'ro_Final-Unit-Indication'{'Final-Unit-Action' = 2}]) -> <<"restrict">>.

%% AVPs that the dictionary does not know at this place: our answers have none.
unknown(#ro_CCA{'AVP' = Here, 'Multiple-Services-Credit-Control' = Services}) ->
    Here ++ lists:append([unknown(Service) || Service <- Services]);
unknown(#'ro_Multiple-Services-Credit-Control'{'AVP' = Here, 'Granted-Service-Unit' = Granted}) ->
    Here ++ lists:append([Unknown || #'ro_Granted-Service-Unit'{'AVP' = Unknown} <- Granted]).
