(* Functions of time that are linear between events (Upper.v), and the least of one. *)

From Coq Require Import ZArith List Lia Bool.
From Kvopt Require Import Model Sums Upper.
Import ListNotations.
Open Scope Z_scope.

(* The least of c + k t and what the events add, over all t >= last. *)
Fixpoint scan_least (last c k : Z) (l : list event) : option Z :=
  match l with
  | [] => if 0 <=? k then Some (c + k * last) else None
  | e :: rest =>
      if time e <? last then None
      else if time e =? last then scan_least last (c + constant e) (k + number e) rest
      else
        match scan_least (time e) (c + constant e) (k + number e) rest with
        | Some v => Some (Z.min v (Z.min (c + k * last) (c + k * (time e - 1))))
        | None => None
        end
  end.

(* What the events up to time t add. *)
Definition changed_by (l : list event) (t : Z) : Z :=
  total (fun e => if time e <=? t then constant e + number e * t else 0) l.

Lemma scan_least_spec l : forall last c k v, scan_least last c k l = Some v ->
  (forall e, In e l -> last <= time e) /\ forall t, last <= t -> v <= c + k * t + changed_by l t.
Proof.
  induction l as [|e l IH]; intros last c k v H; cbn [scan_least] in H.
  - destruct (Z.leb_spec 0 k); [|discriminate]. inversion H. split; [intros e []|]. intros t Ht.
    unfold changed_by. cbn [total]. nia.
  - destruct (Z.ltb_spec (time e) last) as [|Hge]; [discriminate|].
    destruct (Z.eqb_spec (time e) last) as [Heq|Hne].
    + destruct (IH _ _ _ _ H) as [H1 H2]. split.
      * intros e' [<-|He']; [lia|apply H1, He'].
      * intros t Ht. specialize (H2 t Ht). unfold changed_by. cbn [total]. fold (changed_by l t).
        destruct (Z.leb_spec (time e) t); lia.
    + destruct (scan_least (time e) _ _ l) as [v'|] eqn:E; [|discriminate]. inversion H as [Hv].
      destruct (IH _ _ _ _ E) as [H1 H2]. split.
      * intros e' [<-|He']; [lia|]. specialize (H1 e' He'). lia.
      * intros t Ht. unfold changed_by. cbn [total]. fold (changed_by l t).
        destruct (Z.leb_spec (time e) t) as [Hle|Hlt].
        -- specialize (H2 t Hle). lia.
        -- assert (E0 : changed_by l t = 0).
           { unfold changed_by. rewrite (total_ext _ (fun _ => 0)); [rewrite total_const; lia|].
             intros e' He'. specialize (H1 e' He'). destruct (Z.leb_spec (time e') t); lia. }
           rewrite E0. destruct (Z.le_gt_cases 0 k); nia.
Qed.

Lemma changed_by_app l l' t : changed_by (l ++ l') t = changed_by l t + changed_by l' t.
Proof. apply total_app. Qed.
